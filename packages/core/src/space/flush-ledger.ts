import type { FlushSink } from '../table/state/flush-sink.js';

/**
 * Who is told of flushes, and which flushes wait: what is unmapped together with its addresses is flushed by the purge that makes the
 * addresses free again, once for many.
 */
export class FlushLedger {
  readonly #sink: FlushSink | null;
  /** True while what is unmapped is left to a purge. */
  #isLeaving = false;
  #left = 0;
  #purges = 0;

  constructor(sink: FlushSink | null) {
    this.#sink = sink;
  }

  /** What the tables tell; `null` without a sink, since a call of one costs a single page more than its own work. */
  tableSink(): FlushSink | null {
    const sink = this.#sink;
    if (sink === null) return null;
    return {
      flush: (va, bytes, leafShift, tables, asid) => {
        if (!this.#isLeaving) sink.flush(va, bytes, leafShift, tables, asid);
      },
    };
  }

  /** What purges tell. */
  purgeSink(asid: number): FlushSink {
    return {
      flush: (va, bytes, leafShift, tables) => {
        this.#purges++;
        this.#sink?.flush(va, bytes, leafShift, tables, asid);
      },
    };
  }

  /**
   * Runs a call of the tables and leaves its flush to a purge.
   *
   * @param flushes - how many flushes the tables have counted so far.
   */
  leave(flushes: () => number, call: () => void): void {
    const before = flushes();
    this.#isLeaving = true;
    try {
      call();
    } finally {
      this.#isLeaving = false;
      this.#left += flushes() - before;
    }
  }

  /** Nobody is told any more: what is destroyed was seen by nobody. */
  silence(): void {
    this.#isLeaving = true;
  }

  /** Calls of the sink, of all that the tables counted. */
  made(counted: number): number {
    return counted - this.#left + this.#purges;
  }
}
