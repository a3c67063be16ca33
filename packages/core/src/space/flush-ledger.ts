import type { FlushSink } from '../table/state/flush-sink.js';

/**
 * Whom to tell of flushes, and which flushes wait. What is unmapped together with its addresses is not
 * flushed at once. The purge that makes the addresses free again flushes it, once for many. A caller may also
 * take over a flush.
 */
export class FlushLedger {
  #sink: FlushSink | null;
  readonly #sinks: FlushSink[];
  /** Who makes the flushes of the call that runs; `null` while each call makes its own. */
  #leftTo: 'purge' | 'batch' | null = null;
  #left = 0;
  #purges = 0;

  constructor(sink: FlushSink | null) {
    this.#sinks = sink === null ? [] : [sink];
    this.#sink = sink;
  }

  /** Tells one more sink. @returns what ends it. */
  add(sink: FlushSink): () => void {
    const set = (): void => {
      this.#sink = this.#sinks.length > 1 ? new SeveralSinks(this.#sinks) : (this.#sinks[0] ?? null);
    };
    this.#sinks.push(sink);
    set();
    return () => {
      const at = this.#sinks.indexOf(sink);
      if (at >= 0) this.#sinks.splice(at, 1);
      set();
    };
  }

  /**
   * The sink for the tables; `null` without a sink, since a call of one costs a single page more than its
   * own work.
   */
  tableSink(): FlushSink | null {
    if (this.#sink === null) return null;
    return {
      flush: (va, bytes, leafShift, tables, asid) => {
        if (this.#leftTo !== null) this.#sink?.deferred?.(va, bytes, this.#leftTo, asid);
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
   * Runs a call of the tables and leaves its flush to a purge, or to the caller.
   *
   * @param flushes - gives the number of flushes that the tables have counted so far.
   * @param to - who makes it: the purge of the addresses, or the caller, later, for a batch of pages.
   */
  leave<R>(flushes: () => number, call: () => R, to: 'purge' | 'batch' = 'purge'): R {
    const before = flushes();
    this.#leftTo = to;
    try {
      return call();
    } finally {
      this.#leftTo = null;
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

/** Several sinks. Each is told, also when one of them throws. */
class SeveralSinks implements FlushSink {
  readonly #sinks: readonly FlushSink[];

  constructor(sinks: readonly FlushSink[]) {
    this.#sinks = [...sinks];
  }

  flush(...flush: Parameters<FlushSink['flush']>): void {
    this.#each(0, (sink) => sink.flush(...flush));
  }

  deferred(...flush: Parameters<NonNullable<FlushSink['deferred']>>): void {
    this.#each(0, (sink) => sink.deferred?.(...flush));
  }

  changing(): void {
    this.#each(0, (sink) => sink.changing?.());
  }

  #each(from: number, tell: (sink: FlushSink) => void): void {
    for (let at = from; at < this.#sinks.length; at++) {
      let isTold = false;
      try {
        tell(this.#sinks[at] as FlushSink);
        isTold = true;
      } finally {
        if (!isTold) this.#each(at + 1, tell);
      }
    }
  }
}
