import { Caller } from '../../messages/caller.js';
import type { Recorded, RunEnd, SpaceView, Step, TryCalls } from '../../try/calls.js';

/** A program that runs longer is stopped. Milliseconds. */
export const PATIENCE = 20_000;

/** One run of a program. What it did is here while it runs, and stays when it is stopped. */
export class ProgramRun {
  steps = $state.raw<readonly Step[]>([]);
  views = $state.raw<readonly SpaceView[]>([]);
  output = $state.raw<readonly string[]>([]);
  /** How it ended; `null` while it runs, and when it was stopped. */
  end = $state.raw<RunEnd | null>(null);
  isRunning = $state(true);
  /** Why it was ended from outside. */
  stopped = $state<'by the person' | 'after its time' | null>(null);
  /** Why its worker failed. */
  failure = $state<string | null>(null);
  readonly #caller: Caller<TryCalls>;
  readonly #timer: ReturnType<typeof setTimeout>;
  /** What was told since the page was drawn last: a program makes many calls in that time. */
  #waiting: Recorded[] = [];

  constructor(code: string) {
    const worker = new Worker(new URL('../../try/worker.ts', import.meta.url), {
      type: 'module',
      name: 'program',
    });
    this.#caller = new Caller<TryCalls>(worker);
    this.#timer = setTimeout(() => this.#stop('after its time'), PATIENCE);
    void this.#run(code);
  }

  /** Calls that it made, as far as is known. */
  get calls(): number {
    return this.end?.calls ?? this.steps.at(-1)?.number ?? 0;
  }

  /** Ends it. Nothing happens to one that has ended. */
  stop(): void {
    this.#stop('by the person');
  }

  /** The index of the step with a number, or of the last one before it. */
  stepOf(number: number): number {
    return Math.max(
      0,
      this.steps.findLastIndex((one) => one.number <= number),
    );
  }

  /** The index of the last step after which most is there: what a program frees at its end is still drawn. */
  get fullest(): number {
    const sizes = this.views.map(({ areas, tables }) => 100 * areas.length + tables.length);
    const all = this.steps.map(({ spaces }) => spaces.reduce((sum, number) => sum + (sizes[number] ?? 0), 0));
    return Math.max(0, all.lastIndexOf(Math.max(...all)));
  }

  async #run(code: string): Promise<void> {
    try {
      const end = await this.#caller.call('run', { code }, undefined, (part) => this.#take(part));
      this.#show();
      this.end = end;
    } catch (error) {
      if (this.stopped === null) this.failure = error instanceof Error ? error.message : String(error);
    }
    this.#finish();
  }

  #stop(why: 'by the person' | 'after its time'): void {
    if (!this.isRunning) return;
    this.stopped = why;
    this.#finish();
  }

  #finish(): void {
    clearTimeout(this.#timer);
    this.#show();
    this.isRunning = false;
    this.#caller.end();
  }

  #take(part: Recorded): void {
    if (this.#waiting.push(part) === 1) requestAnimationFrame(() => this.#show());
  }

  #show(): void {
    const parts = this.#waiting;
    if (parts.length === 0) return;
    this.#waiting = [];
    this.views = [...this.views, ...parts.flatMap(({ views }) => views)];
    this.steps = [...this.steps, ...parts.flatMap(({ steps }) => steps)];
    this.output = [...this.output, ...parts.flatMap(({ output }) => output)];
  }
}
