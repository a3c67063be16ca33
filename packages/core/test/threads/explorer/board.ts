/** What a step does to its words. */
export const Kind = {
  load: 0,
  /** Stores and exchanges: whatever writes. A compare-exchange that failed is a load. */
  write: 1,
  /** Begins to wait when the word has a value. */
  wait: 2,
  notify: 3,
  /** Goes on after a wait. Possible after a notify, after a death, or by a timeout. */
  wake: 4,
  /** A thread dies and is declared dead. */
  death: 5,
} as const;

/** One step: what it does, and to which words. */
export interface Step {
  /** Thread, or `DEATH` plus a thread. */
  readonly by: number;
  readonly kind: number;
  /** Buffer and 32-bit word as one number. */
  readonly word: number;
  /** 32-bit words. */
  readonly length: number;
}

/** Number of the choice that thread 0 dies. */
export const DEATH = 8;

/** Bits of a word's number below the buffer's. */
export const WORD_BITS = 24;

/** The thread that a step concerns. */
export function threadOf(by: number): number {
  return by % DEATH;
}

/**
 * False when two steps that follow each other may change places, and nobody can tell.
 *
 * What a thread reads and writes without `Atomics` belongs to the step before. It is not looked at here: in
 * correct code such accesses are ordered by steps that depend on each other.
 */
export function areDependent(one: Step, other: Step): boolean {
  if (threadOf(one.by) === threadOf(other.by)) return true;
  const [a, b] = [one.kind, other.kind];
  if (a === Kind.death || b === Kind.death) {
    const kind = a === Kind.death ? b : a;
    // A death ends waits, and there is one death at most.
    if (kind === Kind.wait || kind === Kind.wake || a === b) return true;
    return kind !== Kind.notify && overlap(one, other);
  }
  if (!overlap(one, other)) return false;
  if (a === Kind.notify) return b === Kind.wait || b === Kind.wake;
  if (b === Kind.notify) return a === Kind.wait || a === Kind.wake;
  if (a === Kind.wake || b === Kind.wake) return false;
  return a === Kind.write || b === Kind.write;
}

function overlap(one: Step, other: Step): boolean {
  return one.word < other.word + other.length && other.word < one.word + one.length;
}

/** Words of the board, through which the threads and the explorer talk. */
export const Board = {
  /** 1 when an execution has ended. The explorer waits for it. */
  ended: 0,
  /** Why it ended: see `Ending`. */
  ending: 1,
  /** Steps so far. */
  steps: 2,
  /** Number of choices that are given. */
  given: 3,
  /** Choices that need not be made after those given: a bit for each. */
  asleep: 4,
  /** 1 while threads that have not finished are to leave. */
  abort: 5,
  deaths: 6,
  /** A bit for each thread that died. */
  dead: 7,
  /** A bit for each thread that may die. */
  mortal: 8,
  threads: 9,
  timeouts: 10,
  /** Threads that have answered an order of the explorer. */
  answers: 11,
  /** 1 when every order is run, whether it matters or not. */
  isFull: 12,
  /** Steps whose effect on what is asleep has been looked at. */
  settled: 13,
  /** Kinds of the steps that are asleep. */
  kindsAt: 16,
  threadsAt: 32,
  threadWords: 16,
  givenAt: 160,
  mostSteps: 2000,
  /** Of each step: choice, kind, word, length, the choices that were possible, the kind before it was done. */
  logAt: 2176,
  logWords: 6,
} as const;

/** Words of a thread on the board. */
export const ThreadWord = {
  /** What it is to do; it waits while this is 0. */
  go: 0,
  /** See `Status`. */
  status: 1,
  kind: 2,
  word: 3,
  length: 4,
  notified: 5,
  /** Deaths after which a wait of it has ended by its timeout. */
  deathsSeen: 6,
  /** Timeouts that are left. */
  timeouts: 7,
  /** What its death reads and writes. */
  deathWord: 8,
  deathLength: 9,
} as const;

export const Go = { nothing: 0, start: 1, step: 2, end: 3 } as const;
export const Status = { idle: 0, ready: 1, finished: 2 } as const;
export const Ending = {
  /** Every thread finished or died. */
  complete: 1,
  /** What comes next was seen in another execution. */
  pruned: 2,
  /** A thread waits, and nobody can wake it. */
  stuck: 3,
  /** A thread threw an error. */
  failed: 4,
  /** More steps than the board holds. */
  endless: 5,
} as const;

export const BOARD_BYTES: number = 4 * (Board.logAt + Board.mostSteps * Board.logWords);
/** Bytes for the outcome of each thread, and for an error. */
export const TEXT_BYTES = 2048;

export function threadAt(thread: number): number {
  return Board.threadsAt + thread * Board.threadWords;
}

/** The next step of a thread, or its death, from the board. */
export function pendingOn(board: Int32Array, by: number): Step {
  const at = threadAt(threadOf(by));
  const of = (word: number) => board[at + word] as number;
  return by >= DEATH
    ? { by, kind: Kind.death, word: of(ThreadWord.deathWord), length: of(ThreadWord.deathLength) }
    : { by, kind: of(ThreadWord.kind), word: of(ThreadWord.word), length: of(ThreadWord.length) };
}

/** The choices that are possible now: a bit for each. */
export function enabledOn(board: Int32Array): number {
  const threads = board[Board.threads] as number;
  const dead = board[Board.dead] as number;
  const deaths = board[Board.deaths] as number;
  let enabled = 0;
  for (let thread = 0; thread < threads; thread++) {
    const at = threadAt(thread);
    if (board[at + ThreadWord.status] !== Status.ready || ((dead >> thread) & 1) === 1) continue;
    if (deaths === 0 && (((board[Board.mortal] as number) >> thread) & 1) === 1)
      enabled |= 1 << (DEATH + thread);
    const isAsleep =
      board[at + ThreadWord.kind] === Kind.wake &&
      board[at + ThreadWord.notified] === 0 &&
      board[at + ThreadWord.deathsSeen] === deaths &&
      board[at + ThreadWord.timeouts] === 0;
    if (!isAsleep) enabled |= 1 << thread;
  }
  return enabled;
}
