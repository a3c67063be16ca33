import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import {
  areDependent,
  BOARD_BYTES,
  Board,
  DEATH,
  Ending,
  Go,
  pendingOn,
  Status,
  type Step,
  TEXT_BYTES,
  ThreadWord,
  threadAt,
  WORD_BITS,
} from './board.js';
import { BoundedChoices } from './bounded-choices.js';
import type { Bundle } from './bundle.js';
import { Choices, type Next, nameOfChoice, type Taken } from './choices.js';
import type { Told } from './stepper.js';
import type { ThreadCase } from './thread-case.js';

/** What an exploration has seen. The same on every machine. */
export interface Explored {
  /** Executions that came to their end. No two are the same but for the order of steps that do not matter. */
  readonly executions: number;
  /** Executions that were left, because what was to come had been seen. */
  readonly pruned: number;
  /** Steps of all executions. */
  readonly steps: number;
  /** Steps of the longest. */
  readonly deepest: number;
  /** Outcomes of the threads, and how often. */
  readonly outcomes: Readonly<Record<string, number>>;
}

export interface ExploreOptions {
  /** The most preemptions of an execution: then all orders with so many are run, and no thread dies. Default: no bound. */
  readonly preemptions?: number;
  /** Runs every order of all steps, whether it matters or not. */
  readonly isReduced?: boolean;
  /** Gets the steps of each execution that came to its end. */
  onExecution?(steps: readonly Taken[]): void;
}

/** Explores all interleavings of a case. Throws at the first execution that fails, and lists its steps. */
export async function explore(
  { program, cases }: Bundle,
  name: string,
  options: ExploreOptions = {},
): Promise<Explored> {
  const one = cases[name];
  if (one === undefined) throw new Error(`there is no case ${name}`);
  const exploration = new Exploration(program, name, one, options);
  await exploration.start();
  try {
    return exploration.run();
  } finally {
    await exploration.stop();
  }
}

class Exploration {
  readonly #case: ThreadCase;
  readonly #board: Int32Array;
  readonly #texts = new SharedArrayBuffer((DEATH + 1) * TEXT_BYTES);
  readonly #shared: readonly SharedArrayBuffer[];
  readonly #workers: readonly Worker[];
  readonly #choices: Choices | BoundedChoices;
  readonly #options: ExploreOptions;
  #pruned = 0;
  #executions = 0;
  #steps = 0;
  #deepest = 0;
  readonly #outcomes = new Map<string, number>();

  constructor(program: string, explored: string, one: ThreadCase, options: ExploreOptions) {
    this.#options = options;
    const { preemptions, isReduced } = options;
    this.#choices =
      preemptions === undefined
        ? new Choices(isReduced === false ? () => true : areDependent)
        : new BoundedChoices(preemptions);
    this.#case = one;
    const board = new SharedArrayBuffer(BOARD_BYTES);
    this.#board = new Int32Array(board);
    this.#shared = one.buffers.map((bytes) => new SharedArrayBuffer(bytes));
    this.#workers = one.threads.map((_, thread) => {
      const told: Told = { explored, thread, board, texts: this.#texts, shared: this.#shared };
      return new Worker(program, { eval: true, workerData: told });
    });
  }

  async start(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => once(worker, 'online')));
    this.#awaitAnswers(this.#workers.length);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  run(): Explored {
    for (let next = this.#choices.next(); next !== null; next = this.#choices.next()) {
      const ending = this.#execute(next);
      const steps = this.#log();
      this.#steps += steps.length;
      this.#deepest = Math.max(this.#deepest, steps.length);
      if (ending === Ending.pruned) this.#pruned++;
      else this.#judge(ending, steps);
      this.#take(steps);
      this.#letLeave();
    }
    return {
      executions: this.#executions,
      pruned: this.#pruned,
      steps: this.#steps,
      deepest: this.#deepest,
      outcomes: Object.fromEntries([...this.#outcomes].sort()),
    };
  }

  /** Runs one execution. Returns why it ended. */
  #execute({ given, asleep }: Next): number {
    const board = this.#board;
    const threads = this.#case.threads.length;
    for (const buffer of this.#shared) new Uint8Array(buffer).fill(0);
    this.#case.setup(this.#shared);
    board.fill(0, 0, Board.givenAt);
    board.set(given, Board.givenAt);
    board[Board.given] = given.length;
    for (const { by, kind } of asleep) {
      board[Board.asleep] = (board[Board.asleep] as number) | (1 << by);
      board[Board.kindsAt + by] = kind;
    }
    board[Board.isFull] = this.#options.isReduced === false ? 1 : 0;
    board[Board.threads] = threads;
    const mortal = this.#options.preemptions === undefined ? this.#case.mortal : undefined;
    for (const thread of mortal ?? []) board[Board.mortal] = (board[Board.mortal] as number) | (1 << thread);
    for (let thread = 0; thread < threads; thread++) {
      const at = threadAt(thread);
      board[at + ThreadWord.timeouts] = this.#case.timeouts ?? 0;
      const [buffer, word, length] = this.#case.deathWords?.(thread) ?? [0, 0, 0];
      board[at + ThreadWord.deathWord] = (buffer << WORD_BITS) | word;
      board[at + ThreadWord.deathLength] = length;
    }
    this.#go(0, Go.start);
    while (Atomics.load(board, Board.ended) === 0)
      if (Atomics.wait(board, Board.ended, 0, 30_000) === 'timed-out')
        throw new Error('a thread makes no step: it waits for something else than a step');
    return board[Board.ending] as number;
  }

  #judge(ending: number, steps: readonly Taken[]): void {
    if (ending === Ending.complete) {
      const outcomes = this.#case.threads.map((_, thread) => this.#said(thread));
      try {
        this.#case.finish?.(this.#shared, outcomes);
      } catch (error) {
        this.#refuse((error as Error).message, steps);
      }
      this.#executions++;
      this.#options.onExecution?.(steps);
      const key = outcomes.join(', ');
      this.#outcomes.set(key, (this.#outcomes.get(key) ?? 0) + 1);
      return;
    }
    if (ending === Ending.failed) this.#refuse(this.#said(DEATH), steps);
    if (ending === Ending.stuck) this.#refuse('a thread waits, and nobody wakes it', steps);
    this.#refuse('the execution does not end', steps.slice(0, 100));
  }

  #refuse(why: string, steps: readonly Step[]): never {
    const kinds = ['load', 'write', 'wait', 'notify', 'wake', 'death'];
    const lines = steps.map(({ by, kind, word }) => {
      const [buffer, index] = [word >>> WORD_BITS, word & ((1 << WORD_BITS) - 1)];
      const what = this.#case.nameOf?.(buffer, index) ?? `word ${buffer}.${index}`;
      return by < DEATH ? `  ${nameOfChoice(by)}: ${kinds[kind]} ${what}` : `  ${nameOfChoice(by)}`;
    });
    throw new Error(`${why}\nafter ${this.#executions} executions, in this one:\n${lines.join('\n')}`);
  }

  #log(): Taken[] {
    const board = this.#board;
    return Array.from({ length: board[Board.steps] as number }, (_, index) => {
      const at = Board.logAt + index * Board.logWords;
      const [by, kind, word, length, enabled, intended] = [...board.subarray(at, at + Board.logWords)] as [
        number,
        number,
        number,
        number,
        number,
        number,
      ];
      return { by, kind, word, length, enabled, intended };
    });
  }

  #take(steps: readonly Taken[]): void {
    const board = this.#board;
    const pending = new Map<number, Step>();
    for (let thread = 0; thread < this.#case.threads.length; thread++) {
      const isReady = board[threadAt(thread) + ThreadWord.status] === Status.ready;
      if (isReady) pending.set(thread, pendingOn(board, thread));
      pending.set(DEATH + thread, pendingOn(board, DEATH + thread));
    }
    this.#choices.take(steps, pending);
  }

  /** Threads that have not finished leave their bodies. */
  #letLeave(): void {
    const board = this.#board;
    board[Board.abort] = 1;
    let count = 0;
    for (let thread = 0; thread < this.#case.threads.length; thread++) {
      if (board[threadAt(thread) + ThreadWord.status] !== Status.ready) continue;
      this.#go(thread, Go.step);
      count++;
    }
    this.#awaitAnswers(count);
  }

  #awaitAnswers(count: number): void {
    const board = this.#board;
    for (;;) {
      const answers = Atomics.load(board, Board.answers);
      if (answers >= count) return;
      Atomics.wait(board, Board.answers, answers, 1000);
    }
  }

  #go(thread: number, go: number): void {
    Atomics.store(this.#board, threadAt(thread) + ThreadWord.go, go);
    Atomics.notify(this.#board, threadAt(thread) + ThreadWord.go);
  }

  #said(thread: number): string {
    const bytes = new Uint8Array(this.#texts, thread * TEXT_BYTES, TEXT_BYTES).slice();
    return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
  }
}
