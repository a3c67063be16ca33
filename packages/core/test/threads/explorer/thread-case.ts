/**
 * The part of a test that one thread runs. It makes what the thread needs, before the exploration begins: these
 * steps are not explored. What it returns is explored, and gives the outcome as a short text. An error is a
 * failure.
 */
export type ThreadBody = (shared: readonly SharedArrayBuffer[], thread: number) => () => string;

/** Two or three threads, all of whose interleavings are run. */
export interface ThreadCase {
  /** Lengths of the shared buffers, in bytes. They are zeros before each execution. */
  readonly buffers: readonly number[];
  /** Makes the shared state. */
  setup(shared: readonly SharedArrayBuffer[]): void;
  readonly threads: readonly ThreadBody[];
  /** The threads that may die at any step. At most one dies in an execution. */
  readonly mortal?: readonly number[];
  /** Waits that may end by their timeout, for each thread in each execution; 0 when omitted. */
  readonly timeouts?: number;
  /** Says that a thread died. Called at the step at which it dies. */
  declareDead?(shared: readonly SharedArrayBuffer[], thread: number): void;
  /** What `declareDead` reads and writes: buffer, index of the first 32-bit word, number of words. */
  deathWords?(thread: number): readonly [number, number, number];
  /**
   * Looks at the state after each execution. Throws when it is wrong.
   *
   * @param outcomes - what each thread gave; `died` for a thread that died.
   */
  finish?(shared: readonly SharedArrayBuffer[], outcomes: readonly string[]): void;
  /** Takes longer than some five seconds: only the long mode runs it. */
  readonly isLong?: boolean;
  /** A word's name, for messages. */
  nameOf?(buffer: number, word: number): string;
}
