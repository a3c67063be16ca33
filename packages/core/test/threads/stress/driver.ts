import { Control, type Orders, type Said } from './runner.js';
import { type Arena, type Random, randomOf } from './station.js';

/** A thread that runs somewhere: in Node or in a browser. */
interface Running {
  /** Ends it wherever it is. Resolves when it runs no more. */
  end(): Promise<unknown>;
}

/** Starts a thread that calls `runStation`. */
export type Start = (orders: Orders, hear: (said: Said) => void, fail: (error: Error) => void) => Running;

/** How a stress test runs. */
export interface Run {
  readonly start: Start;
  readonly arena: Arena;
  /** Threads at once. */
  readonly threads: number;
  /** Operations of each thread. */
  readonly operations: number;
  readonly seed: number;
  /** Threads that are ended in the middle of their work; each is replaced. */
  readonly kills?: number;
}

/** What a stress test has done. */
export interface Done {
  readonly kills: number;
  /** What the recoveries found unfinished, and how often. */
  readonly left: Readonly<Record<string, number>>;
  /** Operations of threads that came to their end. */
  readonly operations: number;
  readonly counts: Readonly<Record<string, number>>;
}

/** Runs threads until each has made its operations, ends some on the way, and looks at everything afterwards. */
export async function stress(run: Run): Promise<Done> {
  return new Driver(run).run();
}

interface Thread {
  readonly running: Running;
  readonly description: unknown;
}

/** Fewest and most operations of a thread that is to be ended. */
const KILL_FROM = 20;
const KILL_TO = 400;

class Driver {
  readonly #run: Run;
  readonly #random: Random;
  readonly #shared = new SharedArrayBuffer(4 * Control.words);
  readonly #control = new Int32Array(this.#shared);
  readonly #threads = new Set<Thread>();
  readonly #counts = new Map<string, number>();
  readonly #left = new Map<string, number>();
  #started = 0;
  #ended = 0;
  #paused = 0;
  /** Set while a pause waits for the threads. */
  #whenPaused: (() => void) | undefined;
  #finish: { resolve(): void; reject(why: Error): void } | undefined;
  /** Threads that asked to be ended and have no successor yet. */
  #dying = 0;
  /** Deaths are dealt with one after another. */
  #deaths: Promise<void> = Promise.resolve();

  constructor(run: Run) {
    this.#run = run;
    this.#random = randomOf(run.seed);
  }

  async run(): Promise<Done> {
    const { threads, arena } = this.#run;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#finish = { resolve, reject };
        for (let count = 0; count < threads; count++) this.#start();
      });
      await this.#deaths;
      arena.account();
    } finally {
      await Promise.all([...this.#threads].map(({ running }) => running.end()));
    }
    const counts = Object.fromEntries([...this.#counts].sort());
    const operations = Object.values(counts).reduce((sum, count) => sum + count, 0);
    return { kills: this.#ended, left: Object.fromEntries([...this.#left].sort()), operations, counts };
  }

  /** Starts a thread. While kills are left, it is one that is to be ended. */
  #start(): void {
    const { start, operations, seed, arena, threads, kills = 0 } = this.#run;
    const index = this.#started++;
    const isVictim = index % threads === 0 ? this.#ended < kills : index >= threads && this.#ended < kills;
    const orders: Orders = {
      description: arena.invite(),
      seed: (seed + Math.imul(index, 0x9e3779b1)) | 0,
      operations: isVictim ? Number.MAX_SAFE_INTEGER : operations,
      killAt: isVictim ? KILL_FROM + this.#random.below(KILL_TO - KILL_FROM) : 0,
      control: this.#shared,
    };
    const running = start(
      orders,
      (said) => this.#hear(thread, said),
      (error) => this.#fail(error),
    );
    const thread: Thread = { running, description: orders.description };
    this.#threads.add(thread);
  }

  #hear(thread: Thread, said: Said): void {
    if (said.kind === 'failed') this.#fail(new Error(said.why));
    if (said.kind === 'paused') {
      this.#paused++;
      this.#whenPaused?.();
    }
    if (said.kind === 'kill') this.#dying++;
    if (said.kind === 'kill')
      this.#deaths = this.#deaths.then(() => this.#kill(thread)).catch((error) => this.#fail(error));
    if (said.kind !== 'done') return;
    for (const [name, count] of Object.entries(said.counts))
      this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
    this.#threads.delete(thread);
    this.#whenPaused?.();
    if (this.#threads.size === 0 && this.#dying === 0) this.#finish?.resolve();
  }

  /** Ends a thread wherever it is, recovers while the others work, looks at everything, and replaces it. */
  async #kill(thread: Thread): Promise<void> {
    const { arena } = this.#run;
    await thread.running.end();
    this.#threads.delete(thread);
    this.#ended++;
    arena.declareDead(thread.description);
    for (const left of arena.recover()) this.#left.set(left, (this.#left.get(left) ?? 0) + 1);
    Atomics.add(this.#control, Control.recoveries, 1);
    Atomics.notify(this.#control, Control.recoveries);
    await this.#pause();
    arena.account();
    this.#start();
    this.#dying--;
    Atomics.add(this.#control, Control.pause, 1);
    Atomics.notify(this.#control, Control.pause);
  }

  /** Waits until every thread stands between two operations. */
  async #pause(): Promise<void> {
    this.#paused = 0;
    Atomics.add(this.#control, Control.pause, 1);
    await new Promise<void>((resolve) => {
      this.#whenPaused = () => {
        if (this.#paused >= this.#threads.size) resolve();
      };
      this.#whenPaused();
    });
    this.#whenPaused = undefined;
  }

  #fail(error: Error): void {
    this.#finish?.reject(error);
  }
}
