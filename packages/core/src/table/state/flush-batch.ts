import { VmError } from '../../errors.js';
import { printsItself } from '../../prints.js';
import { addressOf, type PageRange } from '../page-range.js';
import type { TableContext } from './context.js';
import { flush } from './flush.js';
import { OwedRanges } from './owed-ranges.js';
import { freeHeldTables } from './tables.js';

/**
 * Flushes that calls left for later, and the tables that wait for them.
 *
 * A batch belongs to one page table. Until `done`, other page tables that share its tables must not map
 * there either.
 *
 * Call `done` in the end. Until then the sink may still serve removed translations, and the freed tables
 * stay allocated. Mapping into the ranges, or where a waiting table translated, is refused with `EBUSY`, and
 * so are `destroy`, `takeSnapshot` and `restoreSnapshot`.
 *
 * @example
 * ```ts
 * const batch = flushBatch(table);
 * for (const area of areas) table.unmap(area.va, area.bytes, { batch, reclaim: true });
 * batch.done(); // one flush for each stretch of addresses, then the tables' frames go back
 * ```
 */
export interface FlushBatch {
  /** True while a flush is owed. */
  readonly isPending: boolean;
  /** The ranges to flush, ascending, adjacent ones merged. Addresses and lengths in bytes. */
  readonly ranges: readonly { readonly va: bigint; readonly bytes: bigint }[];
  /** Number of tables whose frames wait for the flush. */
  readonly tables: number;
  /**
   * Flushes what is owed, and frees the waiting tables. The batch is then empty and can be used again.
   *
   * When the sink throws, everything stays owed and `done` can be called again.
   *
   * @throws VmError `EBUSY` from within a flush sink or callback; `EINVAL` when somebody else has freed the
   *   frame of a waiting table: the other tables are then free, and nothing is owed; what the sink throws.
   */
  done(): void;
}

/** The one implementation of `FlushBatch`. */
export class OwedFlushes implements FlushBatch {
  readonly #context: TableContext;
  readonly #tables = new Set<number>();
  readonly #owed: OwedRanges;
  /** What the waiting tables translated. A cached walk may still lead into them. */
  readonly #unlinked: OwedRanges;

  constructor(context: TableContext) {
    const { format, pages } = context.plan;
    const middle = format.range.upper === 'sign' ? pages / 2 : -1;
    this.#context = context;
    this.#owed = new OwedRanges(middle);
    this.#unlinked = new OwedRanges(middle);
    printsItself(new.target.prototype);
  }

  /** How much it owes. */
  toString(): string {
    const ranges = this.ranges.length === 1 ? '1 range' : `${this.ranges.length} ranges`;
    return `FlushBatch: ${ranges} to flush, ${this.tables} tables to free`;
  }

  get isPending(): boolean {
    return this.#owed.list.length > 0;
  }

  get ranges(): readonly { va: bigint; bytes: bigint }[] {
    const { format, pageShift } = this.#context.plan;
    return this.#owed.list.map(({ from, to }) => ({
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
      // Each range names all the tables. Which range a cached walk reaches a table through is not recorded.
      for (const { from, to, leafShift } of this.#owed.list) {
        flush(context, from, to - from, leafShift, tables);
      }
    } finally {
      context.isChanging = false;
    }
    this.#owed.clear();
    this.#unlinked.clear();
    this.#tables.clear();
    context.settle(this);
    if (context.records !== null) context.records.batches--;
    freeHeldTables(context, tables);
  }

  /** True when the batch was made by this table. */
  isOf(context: TableContext): boolean {
    return this.#context === context;
  }

  awaits(pfn: number): boolean {
    return this.#tables.has(pfn);
  }

  /** True when a flush is owed for a page of the range, or for a table that translated one. */
  touches({ first, pages }: PageRange): boolean {
    return this.#owed.touches(first, first + pages) || this.#unlinked.touches(first, first + pages);
  }

  /**
   * Adds what one call leaves for later.
   *
   * @param unlinked - what the removed tables translated.
   */
  owe(
    from: number,
    to: number,
    leafShift: number,
    tables: readonly number[],
    unlinked: readonly PageRange[],
  ): void {
    const { records, sink, asid } = this.#context;
    const { format, pageShift } = this.#context.plan;
    for (const pfn of tables) this.#tables.add(pfn);
    for (const { first, pages } of unlinked) this.#unlinked.add(first, first + pages, leafShift);
    this.#owed.add(from, to, leafShift);
    if (!this.#context.owed.has(this) && records !== null) records.batches++;
    this.#context.owe(this);
    sink?.deferred?.(addressOf(format, from), BigInt(to - from) << BigInt(pageShift), 'batch', asid);
  }
}
