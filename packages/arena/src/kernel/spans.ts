import { MOST_SPANS, SPAN_WORDS, Word } from './words.js';

/** A free that the worker finishes. */
export interface Span {
  /** Low 32 bits of the first address. */
  readonly low: number;
  readonly pages: number;
  /** Its pages are gone; only its slots must be made available. */
  readonly isReleaseOnly: boolean;
}

/** The frees that wait for the worker, in the words of the arena (`free_spans` of `kernel/bpf/arena.c`). */
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
    this.#header[Word.spans] = length + 1;
    return true;
  }

  /** Takes all of them, the newest first, as Linux's lock-free list gives them. */
  takeAll(): Span[] {
    const taken: Span[] = [];
    for (let i = this.length - 1; i >= 0; i--) {
      const [low = 0, pages = 0, kind] = this.#words.subarray(i * SPAN_WORDS, (i + 1) * SPAN_WORDS);
      taken.push({ low: low >>> 0, pages, isReleaseOnly: kind === 1 });
    }
    this.#header[Word.spans] = 0;
    return taken;
  }
}
