import { MOST_SPANS, SPAN_WORDS, Word } from './words.js';

/** A free that the worker finishes. */
export interface Span {
  /** Low 32 bits of the first address. */
  readonly low: number;
  readonly pages: number;
  /** Its pages are gone; only its slots must be made available. */
  readonly isReleaseOnly: boolean;
}

/**
 * The frees that wait for the worker, in the words of the arena (`free_spans` of `kernel/bpf/arena.c`). They are used under the lock.
 */
export class Spans {
  readonly #header: Int32Array;
  readonly #words: Int32Array;

  constructor(header: Int32Array, words: Int32Array) {
    this.#header = header;
    this.#words = words;
  }

  /** How many wait. */
  get length(): number {
    return this.#header[Word.spans] as number;
  }

  /** Adds one. @returns false when there is no room. */
  add({ low, pages, isReleaseOnly }: Span): boolean {
    const { length } = this;
    if (length === MOST_SPANS) return false;
    this.#words.set([low, pages, isReleaseOnly ? 1 : 0], length * SPAN_WORDS);
    Atomics.store(this.#header, Word.spans, length + 1);
    return true;
  }

  /** The one that was added last, of those that are left. */
  get newest(): Span {
    const at = (this.length - 1) * SPAN_WORDS;
    const [low = 0, pages = 0, kind] = this.#words.subarray(at, at + SPAN_WORDS);
    return { low: low >>> 0, pages, isReleaseOnly: kind === 1 };
  }

  /** Takes the newest: Linux's lock-free list gives them in this order, too. */
  drop(): void {
    this.keep(this.length - 1);
  }

  /** Forgets all but the oldest. */
  keep(length: number): void {
    Atomics.store(this.#header, Word.spans, length);
  }
}
