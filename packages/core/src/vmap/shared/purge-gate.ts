import type { FlushSink } from '../../table/state/flush-sink.js';

/** Thrown where the sink of another thread threw. */
const THREW_THERE = new Error('the sink of the thread that made this call threw');

/**
 * Stands between the areas and this thread's sink.
 *
 * In a call of this thread it notes whether the sink threw. In a replay it throws where the other thread's
 * sink threw, and else keeps the flush for `deliver`.
 */
export class PurgeGate implements FlushSink {
  /** True once a flush of this thread threw. */
  hasThrown = false;
  /** In a replay: whether the flush threw there. `null` outside. */
  threwThere: boolean | null = null;
  readonly #sink: FlushSink | undefined;
  #waiting: (readonly [va: bigint, bytes: bigint, leafShift: number])[] = [];

  constructor(sink: FlushSink | undefined) {
    this.#sink = sink;
  }

  /** True while this thread's sink must be told of flushes that others made. */
  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  flush(va: bigint, bytes: bigint, leafShift: number): void {
    if (this.threwThere === true) throw THREW_THERE;
    if (this.threwThere === false) {
      this.later(va, bytes, leafShift);
      return;
    }
    try {
      this.#sink?.flush(va, bytes, leafShift, [], 0);
    } catch (error) {
      this.hasThrown = true;
      throw error;
    }
  }

  /** Keeps a flush for `deliver`. */
  later(va: bigint, bytes: bigint, leafShift: number): void {
    if (this.#sink !== undefined) this.#waiting.push([va, bytes, leafShift]);
  }

  /** Drops what waits: this thread has just attached, and nothing of it can know a translation. */
  forget(): void {
    this.#waiting = [];
  }

  /**
   * Tells the sink of flushes that others made.
   *
   * @throws what the sink throws: that flush, and those after it, then still wait.
   */
  deliver(): void {
    for (let flush = this.#waiting[0]; flush !== undefined; flush = this.#waiting[0]) {
      const [va, bytes, leafShift] = flush;
      this.#sink?.flush(va, bytes, leafShift, [], 0);
      this.#waiting.shift();
    }
  }
}
