import { VmError } from '../errors.js';
import { flush, freeTables, type TableContext } from './context.js';
import { addressOf, type PageRange } from './page-range.js';

/**
 * Flushes that calls have left for later, and the tables that wait for them.
 *
 * It must be used: until `done` is called the sink may still serve what was taken away, the freed tables stay
 * allocated, mapping into the ranges, or where a waiting table translated, is refused with `EBUSY`, and so are `destroy`,
 * `snapshot` and `restore`.
 *
 * @example
 * ```ts
 * const batch = table.batch();
 * for (const area of areas) table.unmap(area.va, area.bytes, { batch, reclaim: true });
 * batch.done(); // one flush for each stretch of addresses, then the tables' frames go back
 * ```
 */
export interface FlushBatch {
  /** True while a flush is owed. */
  readonly isPending: boolean;
  /** The ranges to be flushed, ascending, adjacent ones merged; addresses and lengths in bytes. */
  readonly ranges: readonly { readonly va: bigint; readonly bytes: bigint }[];
  /** Number of tables whose frames wait for the flush. */
  readonly tables: number;
  /**
   * Flushes what is owed, and gives the tables' frames back. The batch is then empty and can be used again.
   *
   * When the sink throws, everything stays owed and `done` can be called again.
   */
  done(): void;
}

/** Pages that a flush is owed for. */
interface OwedRange {
  from: number;
  to: number;
  /** log2 of the smallest leaf that was taken away. */
  leafShift: number;
}

/** The one implementation of `FlushBatch`. */
export class OwedFlushes implements FlushBatch {
  readonly #context: TableContext;
  readonly #tables = new Set<number>();
  /** Ascending, none touching the next. */
  #owed: OwedRange[] = [];
  /** What the waiting tables translated: a walk that was cached may still lead into them. */
  #unlinked: PageRange[] = [];

  constructor(context: TableContext) {
    this.#context = context;
  }

  get isPending(): boolean {
    return this.#owed.length > 0;
  }

  get ranges(): readonly { va: bigint; bytes: bigint }[] {
    const { format, pageShift } = this.#context.plan;
    return this.#owed.map(({ from, to }) => ({
      va: addressOf(format, from),
      bytes: BigInt(to - from) << BigInt(pageShift),
    }));
  }

  get tables(): number {
    return this.#tables.size;
  }

  done(): void {
    const context = this.#context;
    if (!this.isPending) return;
    if (context.isChanging) {
      throw new VmError('EBUSY', 'this page table is in the middle of a change', {
        advice: 'finish a batch outside of flush sinks and callbacks',
      });
    }
    const tables = [...this.#tables];
    context.isChanging = true;
    try {
      // Each range names all the tables: which of them a walk cache reaches through it is not kept.
      for (const { from, to, leafShift } of this.#owed) flush(context, from, to - from, leafShift, tables);
      freeTables(context, tables);
    } finally {
      context.isChanging = false;
    }
    this.#owed = [];
    this.#unlinked = [];
    this.#tables.clear();
    context.owed.delete(this);
    if (context.records !== null) context.records.batches--;
  }

  /** True when the batch was made by this table. */
  isOf(context: TableContext): boolean {
    return this.#context === context;
  }

  /** True when a flush is owed for a page of the range, or for a table that translated one. */
  touches(range: PageRange): boolean {
    const end = range.first + range.pages;
    return (
      this.#owed.some(({ from, to }) => from < end && to > range.first) ||
      this.#unlinked.some(({ first, pages }) => first < end && first + pages > range.first)
    );
  }

  /**
   * Adds what one call leaves for later.
   *
   * @param unlinked - what the tables translated that are out of the tree.
   */
  owe(
    from: number,
    to: number,
    leafShift: number,
    tables: readonly number[],
    unlinked: readonly PageRange[],
  ): void {
    const { owed, records } = this.#context;
    for (const pfn of tables) this.#tables.add(pfn);
    this.#unlinked.push(...unlinked);
    if (!owed.has(this) && records !== null) records.batches++;
    owed.add(this);
    const merged: OwedRange = { from, to, leafShift };
    const apart: OwedRange[] = [];
    for (const range of this.#owed) {
      if (range.to < from || range.from > to) {
        apart.push(range);
        continue;
      }
      merged.from = Math.min(merged.from, range.from);
      merged.to = Math.max(merged.to, range.to);
      merged.leafShift = Math.min(merged.leafShift, range.leafShift);
    }
    this.#owed = [...apart, merged].sort((a, b) => a.from - b.from);
  }
}
