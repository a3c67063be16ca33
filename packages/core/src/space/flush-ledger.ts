import type { FlushSink } from '../table/state/flush-sink.js';

/**
 * Whom to tell of flushes, and which flushes wait. What is unmapped together with its addresses is not
 * flushed at once. The purge that makes the addresses free again flushes it, once for many.
 */
export class FlushLedger {
  #sink: FlushSink | null;
  /** True while unmapping leaves its flush to a purge. */
  #isLeaving = false;
  #left = 0;
  #purges = 0;

  constructor(sink: FlushSink | null) {
    this.#sink = sink;
  }

  /**
   * The sink for the tables; `null` without a sink, since a call of one costs a single page more than its
   * own work.
   */
  tableSink(): FlushSink | null {
    if (this.#sink === null) return null;
    return {
      flush: (va, bytes, leafShift, tables, asid) => {
        if (this.#isLeaving) this.#sink?.deferred?.(va, bytes, 'purge', asid);
        else this.#sink?.flush(va, bytes, leafShift, tables, asid);
      },
      changing: () => this.#sink?.changing?.(),
    };
  }

  /** The sink for purges. */
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
   * @param flushes - gives the number of flushes that the tables have counted so far.
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

  /** Tells nobody of later flushes, for a space that is destroyed before anybody has seen it. */
  silence(): void {
    this.#sink = null;
  }

  /**
   * Number of calls of the sink.
   *
   * @param counted - flushes that the tables counted.
   */
  made(counted: number): number {
    return counted - this.#left + this.#purges;
  }
}
