import { entryHi, entryLo } from '../../../address-codec.js';
import { optionsOf } from '../../../check/options.js';
import type { Controls } from '../../../format/access.js';
import type { LevelPlan } from '../../../format/plan.js';
import type { Bank } from '../../../memory/bank.js';
import { batchOf, type LeafCaps, leafCaps } from '../../arguments.js';
import { type CollapseOptions, MAP_OPTIONS } from '../../options.js';
import { type PageRange, pageRange } from '../../page-range.js';
import type { PageTable } from '../../page-table.js';
import { changeTables } from '../../state/change-lock.js';
import type { TableContext } from '../../state/context.js';
import { childPfn, highAt, isTable, lowAt } from '../../state/entries.js';
import type { OwedFlushes } from '../../state/flush-batch.js';
import { contextOf } from '../../state/registry.js';
import { writableBankOfTable } from '../../state/table-banks.js';
import { recordOf } from '../../state/tables.js';
import { LeafReader } from '../look/leaf-reader.js';
import type { Span } from '../look/span.js';
import { changing } from '../set/changing.js';
import { Union, type Whole } from './leaf-union.js';
import { SlotRow } from './slot-row.js';
import { tableRights } from './table-rights.js';

/**
 * Slots that take larger leaves: one slot takes a block in place of its table, or adjacent slots take a run.
 */
interface Edit {
  readonly span: Span;
  readonly words: Int32Array;
  /** The tables that go, and log2 bytes of the smallest leaf in them. */
  readonly tables: readonly number[];
  readonly leafShift: number;
}

/**
 * Makes leaves larger. A full table in the range becomes a block wherever its leaves are adjacent and
 * aligned and have equal attributes, up to the largest size possible. Its table is freed. Leaves that do not
 * become a block become runs with a contiguous hint.
 *
 * Accessed and dirty may differ: a block or run has them when any of its leaves had. A block or run that
 * would reach beyond the range is not made. Neither is a block in place of a table that this page table does
 * not own.
 *
 * @param table - the table to change.
 * @param va - first address in bytes, a multiple of the page size.
 * @param bytes - length in bytes, a multiple of the page size.
 * @returns the number of blocks and runs made: 0 when none could be.
 * @throws VmError `ERANGE`, `EFAULT`, `EPERM` as `map`; `EINVAL` when a cap is not an integer; what the sink
 *   throws.
 * @example
 * ```ts
 * const made = collapseLeaves(table, 0xffffc90000200000n, 2n << 20n) === 1;
 * ```
 */
export function collapseLeaves<C extends Controls>(
  table: PageTable<C>,
  va: bigint,
  bytes: bigint | number,
  options?: CollapseOptions,
): number {
  const given = optionsOf(options, ['batch', ...MAP_OPTIONS], 'collapseLeaves()');
  return changeTables(
    contextOf(table),
    (context) => {
      const range = pageRange(context.plan.format, va, bytes);
      return collapsePages(context, range, leafCaps(given), batchOf(context, given));
    },
    true,
  );
}

/**
 * Makes blocks of full tables whose leaves are one, and runs of leaves that do not become a block.
 *
 * It first reads everything, from the bottom up. A table that becomes one with its neighbours is not made a
 * block first.
 *
 * @param caps - on blocks and runs.
 * @returns the number of blocks and runs made.
 */
function collapsePages(
  context: TableContext,
  range: PageRange,
  caps: LeafCaps,
  batch: OwedFlushes | null,
): number {
  const { root } = context;
  const edits: Edit[] = [];
  const collapser = new Collapser(context, range, caps, edits);
  collapser.visit(0, root.bank, root.pfn, root.word, 0);
  const { pageShift } = context.plan;
  changing(context, range, batch, (changes) => {
    for (const { span, words, tables, leafShift } of edits) {
      changes.rewrite(span, words);
      changes.widen(span.page, span.count * span.level.pages, leafShift);
      for (const table of tables) if (!changes.isGone(table)) changes.free(table);
    }
    for (const { first, pages } of collapser.aliases) changes.widen(first, pages, pageShift);
  });
  return edits.length;
}

class Collapser {
  readonly #context: TableContext;
  readonly #first: number;
  readonly #end: number;
  readonly #maxLeafShift: number;
  readonly #edits: Edit[];
  /** First entries of the runs to make, by bank. */
  readonly #runs = new Map<Bank, Set<number>>();
  /** Where a table that is linked twice translates the same runs again. */
  readonly aliases: PageRange[] = [];
  /** By level: the leaves of the table under visit; `null` where no runs are made. */
  readonly #rows: readonly (SlotRow | null)[];

  constructor(context: TableContext, range: PageRange, caps: LeafCaps, edits: Edit[]) {
    this.#context = context;
    this.#first = range.first;
    this.#end = range.first + range.pages;
    this.#maxLeafShift = caps.leaf;
    this.#edits = edits;
    this.#rows = context.plan.levels.map((level) => SlotRow.of(context, level, caps.run));
  }

  /**
   * Visits the part of a table that lies in the range.
   *
   * @param page - first page that the table translates.
   * @returns its leaves as one leaf; `null` when they cannot be one. Then the slots that can become larger
   *   leaves are noted.
   */
  visit(levelIndex: number, bank: Bank, pfn: number, word: number, page: number): Whole | null {
    const { plan, counters } = this.#context;
    const level = plan.levels[levelIndex] as LevelPlan;
    counters.tablesRead++;
    const row = this.#rows[levelIndex] as SlotRow | null;
    row?.clear();
    let one = this.#unionOf(levelIndex, pfn, page);
    const isLast = levelIndex === plan.last;
    const { words } = bank;
    const reader = new LeafReader(this.#context, level);
    const noted: Edit[] = [];
    const from = Math.max(0, Math.floor((this.#first - page) / level.pages));
    const to = Math.min(level.entries, Math.ceil((this.#end - page) / level.pages));
    const record = recordOf(this.#context, pfn);
    const spanOf = (slot: number, count: number): Span => {
      return { level, bank, at: word + 2 * slot, count, record, page: page + slot * level.pages };
    };
    for (let slot = from; slot < to; slot++) {
      if (isLast && one === null && row === null) return null;
      const lo = lowAt(bank, words, word + 2 * slot);
      const hi = highAt(bank, words, word + 2 * slot);
      counters.entriesRead++;
      if ((lo | hi) !== 0 && isTable(level, lo, hi)) {
        const start = page + slot * level.pages;
        const child = childPfn(this.#context, lo, hi);
        const below = writableBankOfTable(this.#context, child, start);
        const whole = this.visit(levelIndex + 1, below, child, below.wordOf(child, plan.pageShift), start);
        if (whole === null || this.#isRestricted(level, lo, hi, whole)) {
          one = null;
          continue;
        }
        const { tables, leafShift, flags, pfn: frame } = whole;
        noted.push({ span: spanOf(slot, 1), words: blockOf(this.#context, whole), tables, leafShift });
        row?.put(slot, flags, frame, false);
        if (one?.addTable(whole) === false) one = null;
      } else if (one === null && row === null) {
        // Only tables matter: blocks may be made below them.
      } else if (!reader.read(lo, hi, slot)) {
        one = null;
      } else {
        row?.put(slot, reader.flags, reader.pfn, reader.isMarked);
        if (one?.add(reader.flags, reader.pfn) === false) one = null;
      }
    }
    const whole = one?.whole() ?? null;
    if (whole === null) this.#note(row, noted, spanOf, from, to);
    return whole;
  }

  /**
   * For a table that does not become one leaf: notes its blocks, or the runs that hold them, and other runs.
   */
  #note(
    row: SlotRow | null,
    blocks: readonly Edit[],
    spanOf: (slot: number, count: number) => Span,
    from: number,
    to: number,
  ): void {
    if (row === null) {
      this.#edits.push(...blocks);
      return;
    }
    const { level } = spanOf(from, 1);
    const entries = level.level.run?.entries ?? 1;
    const inRuns = new Set<Edit>();
    for (let slot = Math.ceil(from / entries) * entries; slot + entries <= to; slot += entries) {
      const span = spanOf(slot, entries);
      // A block at an end may reach beyond the range.
      if (span.page < this.#first || span.page + entries * level.pages > this.#end) continue;
      const words = row.runFrom(slot);
      if (words === null) continue;
      if (!this.#isFirst(span)) {
        this.aliases.push({ first: span.page, pages: entries * level.pages });
        continue;
      }
      const made = blocks.filter((one) => one.span.at >= span.at && one.span.at < span.at + 2 * entries);
      for (const one of made) inRuns.add(one);
      const tables = made.flatMap((one) => one.tables);
      const leafShift = Math.min(level.shift, ...made.map((one) => one.leafShift));
      this.#edits.push({ span, words, tables, leafShift });
    }
    this.#edits.push(...blocks.filter((one) => !inRuns.has(one)));
  }

  /** False for a run that was already made through another link to its table. */
  #isFirst({ bank, at }: Span): boolean {
    const runs = this.#runs.get(bank) ?? new Set();
    this.#runs.set(bank, runs);
    const { size } = runs;
    return runs.add(at).size > size;
  }

  /**
   * True when the entry that points to a table forbids what its leaves allow. A block in its place would
   * allow it.
   *
   * @param level - of the entry.
   */
  #isRestricted(level: LevelPlan, lo: number, hi: number, whole: Whole): boolean {
    const { format, levels, last } = this.#context.plan;
    // A table's address has the same bits as a page's, whatever the level.
    const { leafAddressLo, leafAddressHi } = levels[last] as LevelPlan;
    const entry = { lo: lo & ~leafAddressLo, hi: hi & ~leafAddressHi };
    if (entry.lo === format.tableEntry.lo && entry.hi === format.tableEntry.hi) return false;
    const leaf = format.relevel(whole.flags, level.index, level.index + 1);
    return tableRights(this.#context).restricts(entry, level.index, whole.flags, leaf);
  }

  /** Starts the union of a table's leaves; `null` when no block may take the table's place. */
  #unionOf(levelIndex: number, pfn: number, page: number): Union | null {
    const { plan, records, owner } = this.#context;
    const above = plan.levels[levelIndex - 1];
    if (above === undefined || above.level.leaf === null || above.shift > this.#maxLeafShift) return null;
    if (page < this.#first || page + above.pages > this.#end) return null;
    // Another owner's table may be linked elsewhere, and this page table cannot free it.
    if (records?.isOwn(records.find(pfn), owner, levelIndex) !== true) return null;
    return new Union(this.#context, plan.levels[levelIndex] as LevelPlan, above, pfn);
  }
}

/** The words of a block. */
function blockOf(context: TableContext, { pfn, flags }: Whole): Int32Array {
  const { address } = context.plan;
  return Int32Array.of(flags.lo | entryLo(address, pfn), flags.hi | entryHi(address, pfn));
}
