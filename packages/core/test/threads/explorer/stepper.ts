import { workerData } from 'node:worker_threads';
import {
  areDependent,
  Board,
  DEATH,
  Ending,
  enabledOn,
  Go,
  Kind,
  pendingOn,
  Status,
  TEXT_BYTES,
  ThreadWord,
  threadAt,
  WORD_BITS,
} from './board.js';
import type { ThreadCase } from './thread-case.js';

/** What a thread of an exploration is told. */
export interface Told {
  readonly explored: string;
  readonly thread: number;
  readonly board: SharedArrayBuffer;
  readonly texts: SharedArrayBuffer;
  readonly shared: readonly SharedArrayBuffer[];
}

/** Thrown out of a thread that is not to go on: it died, or the execution ended. */
class Leave extends Error {}

/** `Atomics` of the host: the threads of a case get another one. */
const host = Atomics;

/** Runs the thread that the worker's data names, when this is a worker of an exploration. */
export function runExplored(cases: Record<string, ThreadCase>): void {
  const told = workerData as Partial<Told> | null;
  if (told?.explored === undefined) return;
  new Stepper(cases[told.explored] as ThreadCase, told as Told).run();
}

/**
 * One thread of an exploration. Before each call of `Atomics` it says what it is about to do. Then whoever
 * ran last chooses who is next, by the same rule in each thread. So a thread that goes on costs no switch.
 */
class Stepper {
  readonly #case: ThreadCase;
  readonly #told: Told;
  readonly #board: Int32Array;
  readonly #at: number;
  #isExploring = false;
  #isLeaving = false;

  constructor(one: ThreadCase, told: Told) {
    this.#case = one;
    this.#told = told;
    this.#board = new Int32Array(told.board);
    this.#at = threadAt(told.thread);
    globalThis.Atomics = this.#stepping();
  }

  run(): void {
    const { thread } = this.#told;
    this.#answer();
    for (;;) {
      const go = this.#awaitGo();
      if (go === Go.end) return;
      this.#isLeaving = false;
      if (go === Go.start) {
        try {
          const outcome = this.#body();
          if (this.#isLeaving) this.#answer();
          else this.#finish(outcome);
        } catch (error) {
          if (this.#isLeaving) this.#answer();
          else this.#fail(`thread ${thread}: ${error instanceof Error ? error.stack : String(error)}`);
        }
      }
    }
  }

  #body(): string {
    const { thread, shared } = this.#told;
    const body = this.#case.threads[thread];
    if (body === undefined) throw new Error('no such thread');
    const run = body(shared, thread);
    this.#isExploring = true;
    try {
      return run();
    } finally {
      this.#isExploring = false;
    }
  }

  #finish(outcome: string): void {
    const { thread } = this.#told;
    this.#say(thread, outcome);
    const isStarting = this.#board[this.#at + ThreadWord.status] === Status.idle;
    this.#board[this.#at + ThreadWord.status] = Status.finished;
    this.#handOver(isStarting);
  }

  /** Says what comes next, and returns when it is this thread's turn. */
  #step(kind: number, array: Int32Array, index: number): void {
    if (this.#isLeaving) throw new Leave();
    if (!this.#isExploring) return;
    const buffer = this.#told.shared.indexOf(array.buffer as SharedArrayBuffer);
    if (buffer < 0) {
      if (array.buffer instanceof ArrayBuffer) return;
      throw new Error('the case does not name this shared buffer');
    }
    const board = this.#board;
    const word = (array.byteOffset + index * array.BYTES_PER_ELEMENT) >> 2;
    const isStarting = board[this.#at + ThreadWord.status] === Status.idle;
    board[this.#at + ThreadWord.kind] = kind;
    board[this.#at + ThreadWord.word] = (buffer << WORD_BITS) | word;
    board[this.#at + ThreadWord.length] = Math.max(1, array.BYTES_PER_ELEMENT >> 2);
    board[this.#at + ThreadWord.status] = Status.ready;
    if (!this.#handOver(isStarting)) this.#awaitStep();
  }

  /**
   * Lets the next thread go on.
   *
   * @param isStarting - this thread has come to its first step: the next one starts.
   * @returns true when it is this thread.
   */
  #handOver(isStarting: boolean): boolean {
    const { thread } = this.#told;
    if (isStarting && thread + 1 < (this.#board[Board.threads] as number)) {
      this.#wakeThread(thread + 1, Go.start);
      return false;
    }
    const next = this.#choose();
    if (next === thread) return true;
    if (next >= 0) this.#wakeThread(next, Go.step);
    return false;
  }

  /** The thread whose step is next; -1 when the execution has ended. */
  #choose(): number {
    const board = this.#board;
    for (;;) {
      this.#settle();
      const steps = board[Board.steps] as number;
      const enabled = enabledOn(board);
      let next: number;
      if (steps < (board[Board.given] as number)) next = board[Board.givenAt + steps] as number;
      else {
        // Deaths come last: their numbers are above those of threads.
        const awake = enabled & ~(board[Board.asleep] as number);
        if (awake === 0) return this.#end(enabled === 0 ? this.#whyNobody() : Ending.pruned);
        next = ((awake >> this.#told.thread) & 1) === 1 ? this.#told.thread : 31 - Math.clz32(awake & -awake);
      }
      if (steps === Board.mostSteps) return this.#end(Ending.endless);
      this.#note(next, enabled, steps);
      if (next < DEATH) return next;
      this.#die(next - DEATH);
    }
  }

  #whyNobody(): number {
    const board = this.#board;
    for (let thread = 0; thread < (board[Board.threads] as number); thread++) {
      const isDead = (((board[Board.dead] as number) >> thread) & 1) === 1;
      if (!isDead && board[threadAt(thread) + ThreadWord.status] === Status.ready) return Ending.stuck;
    }
    return Ending.complete;
  }

  /** Writes a choice into the log. */
  #note(next: number, enabled: number, steps: number): void {
    const board = this.#board;
    const step = pendingOn(board, next);
    const at = Board.logAt + steps * Board.logWords;
    board.set([next, step.kind, step.word, step.length, enabled, step.kind], at);
    board[Board.steps] = steps + 1;
  }

  /** After a step is done: what depends on it is not asleep any more. */
  #settle(): void {
    const board = this.#board;
    const steps = board[Board.steps] as number;
    if (steps === 0 || steps < (board[Board.given] as number) || board[Board.settled] === steps) return;
    board[Board.settled] = steps;
    const at = Board.logAt + (steps - 1) * Board.logWords;
    const [by, kind, word, length] = board.subarray(at) as unknown as [number, number, number, number];
    let asleep = board[Board.isFull] === 1 ? 0 : (board[Board.asleep] as number);
    for (let other = 0; other < 2 * DEATH; other++) {
      if (((asleep >> other) & 1) === 0) continue;
      const step = { ...pendingOn(board, other), kind: board[Board.kindsAt + other] as number };
      if (areDependent(step, { by, kind, word, length })) asleep &= ~(1 << other);
    }
    board[Board.asleep] = asleep;
  }

  #die(thread: number): void {
    const board = this.#board;
    board[Board.deaths] = (board[Board.deaths] as number) + 1;
    board[Board.dead] = (board[Board.dead] as number) | (1 << thread);
    this.#say(thread, 'died');
    const wasExploring = this.#isExploring;
    this.#isExploring = false;
    this.#case.declareDead?.(this.#told.shared, thread);
    this.#isExploring = wasExploring;
  }

  #wakeThread(thread: number, go: number): void {
    host.store(this.#board, threadAt(thread) + ThreadWord.go, go);
    host.notify(this.#board, threadAt(thread) + ThreadWord.go);
  }

  #awaitGo(): number {
    const at = this.#at + ThreadWord.go;
    for (;;) {
      const go = host.exchange(this.#board, at, Go.nothing);
      if (go !== Go.nothing) return go;
      // A notify that comes late ends a wait of a later turn.
      host.wait(this.#board, at, Go.nothing);
    }
  }

  #awaitStep(): void {
    this.#awaitGo();
    if (this.#board[Board.abort] === 0) return;
    this.#isLeaving = true;
    throw new Leave();
  }

  #end(ending: number): number {
    this.#board[Board.ending] = ending;
    host.store(this.#board, Board.ended, 1);
    host.notify(this.#board, Board.ended);
    return -1;
  }

  #fail(text: string): void {
    this.#say(DEATH, text);
    this.#board[this.#at + ThreadWord.status] = Status.finished;
    this.#end(Ending.failed);
  }

  #answer(): void {
    host.add(this.#board, Board.answers, 1);
    host.notify(this.#board, Board.answers);
  }

  #say(thread: number, text: string): void {
    const bytes = new Uint8Array(this.#told.texts, thread * TEXT_BYTES, TEXT_BYTES);
    const said = new TextEncoder().encode(text).subarray(0, TEXT_BYTES - 1);
    bytes.set(said);
    bytes[said.length] = 0;
  }

  /** `Atomics` with a stop before each call. */
  #stepping(): Atomics {
    const write =
      <A extends unknown[], R>(call: (array: Int32Array, index: number, ...rest: A) => R) =>
      (array: Int32Array, index: number, ...rest: A): R => {
        this.#step(Kind.write, array, index);
        return call.call(host, array, index, ...rest);
      };
    const stepping = {
      load: (array: Int32Array, index: number) => {
        this.#step(Kind.load, array, index);
        return host.load(array, index);
      },
      store: write(host.store as (array: Int32Array, index: number, value: number) => number),
      add: write(host.add as (array: Int32Array, index: number, value: number) => number),
      sub: write(host.sub as (array: Int32Array, index: number, value: number) => number),
      and: write(host.and as (array: Int32Array, index: number, value: number) => number),
      or: write(host.or as (array: Int32Array, index: number, value: number) => number),
      xor: write(host.xor as (array: Int32Array, index: number, value: number) => number),
      exchange: write(host.exchange as (array: Int32Array, index: number, value: number) => number),
      compareExchange: (array: Int32Array, index: number, old: number, value: number) => {
        this.#step(Kind.write, array, index);
        const found = host.compareExchange(array, index, old, value);
        if (this.#isExploring && found !== old) this.#hasOnlyRead();
        return found;
      },
      isLockFree: (bytes: number) => host.isLockFree(bytes),
      wait: (array: Int32Array, index: number, value: number) => this.#wait(array, index, value),
      notify: (array: Int32Array, index: number, count?: number) => {
        if (count !== undefined) throw new Error('the explorer knows no notify that wakes some');
        this.#notify(array, index);
        return 0;
      },
    };
    return stepping as unknown as Atomics;
  }

  #hasOnlyRead(): void {
    const steps = this.#board[Board.steps] as number;
    this.#board[Board.logAt + (steps - 1) * Board.logWords + 1] = Kind.load;
  }

  #wait(array: Int32Array, index: number, value: number): string {
    if (!this.#isExploring && !this.#isLeaving) return host.wait(array, index, value, 50);
    this.#step(Kind.wait, array, index);
    if (host.load(array, index) !== value) return 'not-equal';
    const board = this.#board;
    board[this.#at + ThreadWord.notified] = 0;
    this.#step(Kind.wake, array, index);
    if (board[this.#at + ThreadWord.notified] === 1) return 'ok';
    if (board[this.#at + ThreadWord.deathsSeen] !== board[Board.deaths])
      board[this.#at + ThreadWord.deathsSeen] = board[Board.deaths] as number;
    else board[this.#at + ThreadWord.timeouts] = (board[this.#at + ThreadWord.timeouts] as number) - 1;
    return 'timed-out';
  }

  #notify(array: Int32Array, index: number): void {
    this.#step(Kind.notify, array, index);
    if (!this.#isExploring) return;
    const board = this.#board;
    const word = board[this.#at + ThreadWord.word];
    for (let thread = 0; thread < (board[Board.threads] as number); thread++) {
      const at = threadAt(thread);
      const isAsleep =
        board[at + ThreadWord.status] === Status.ready && board[at + ThreadWord.kind] === Kind.wake;
      if (isAsleep && board[at + ThreadWord.word] === word) board[at + ThreadWord.notified] = 1;
    }
  }
}
