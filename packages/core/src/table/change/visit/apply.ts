import { choiceOption } from '../../../check/members.js';
import { type Given, optionsOf } from '../../../check/options.js';
import { VmError } from '../../../errors.js';
import type { Controls } from '../../../format/access.js';
import { classify } from '../../../format/classify.js';
import type { LevelPlan } from '../../../format/plan.js';
import type { Bank } from '../../../memory/bank.js';
import { batchOf, checkVisitor } from '../../arguments.js';
import type { ApplyOptions } from '../../options.js';
import { addressOf, type PageRange, pageRange } from '../../page-range.js';
import type { PageTable } from '../../page-table.js';
import { changeTables } from '../../state/change-lock.js';
import { type TableContext, visitRoot } from '../../state/context.js';
import { childPfn, copyOut, highAt, isLeaf, isTable, lowAt } from '../../state/entries.js';
import type { OwedFlushes } from '../../state/flush-batch.js';
import { contextOf } from '../../state/registry.js';
import { writableBankOfTable } from '../../state/table-banks.js';
import type { TableVisit } from '../../state/table-visit.js';
import { linkedTwice } from '../look/find.js';
import { partAtRuns, wholeOf } from '../look/runs.js';
import type { Span } from '../look/span.js';
import { applyCut, type Cutter } from '../resize/cut.js';
import type { ChangeSet } from '../set/change-set.js';
import { changing } from '../set/changing.js';
import { EntrySlot, type SlotVisitor } from './slot.js';

/**
 * Calls back with the entry of every page of a range, empty ones included. It makes missing tables on the
 * way, as Linux's `apply_to_page_range` does.
 *
 * The callback may set the entry. When it throws, or the call fails, everything is as it was. When it
 * returns anything but `undefined`, the call ends there, keeps what was set, and returns that value.
 *
 * @param table - the table whose entries are visited.
 * @param va - first address in bytes, a multiple of the page size.
 * @param bytes - length in bytes, a multiple of the page size.
 * @returns what the callback returned, or `undefined` when it has seen every entry.
 * @throws VmError `EINVAL` for a block, unless `blocks` says otherwise; `EBUSY` for an entry above the last
 *   level that is neither table nor block, or one that would become valid while a batch owes its flush;
 *   `ENOMEM`, `ERANGE`, `EFAULT`, `EPERM` as `map`; what the callback or the sink throws.
 * @example
 * ```ts
 * applyToRange(table, shadow, 1n << 20n, (slot) => {
 *   if (slot.entry === 0n) slot.setLeaf(frames.allocate(), PAGE_KERNEL);
 * });
 * ```
 */
export function applyToRange<C extends Controls, T = undefined>(
  table: PageTable<C>,
  va: bigint,
  bytes: bigint | number,
  visit: SlotVisitor<T>,
  options?: ApplyOptions,
): T | undefined {
  const given = optionsOf(options, NAMES, 'applyToRange()');
  return apply(contextOf(table), va, bytes, visit, true, given);
}

/**
 * Calls back with every entry of a range that is not empty. It makes no table, as Linux's
 * `apply_to_existing_page_range`. Otherwise it is like `applyToRange`.
 *
 * @param table - the table whose entries are visited.
 * @param va - first address in bytes, a multiple of the page size.
 * @param bytes - length in bytes, a multiple of the page size.
 * @returns what the callback returned, or `undefined` when it has seen every entry.
 * @throws VmError as `applyToRange`; `ENOMEM` only for a split.
 */
export function applyToExisting<C extends Controls, T = undefined>(
  table: PageTable<C>,
  va: bigint,
  bytes: bigint | number,
  visit: SlotVisitor<T>,
  options?: ApplyOptions,
): T | undefined {
  const given = optionsOf(options, NAMES, 'applyToExisting()');
  return apply(contextOf(table), va, bytes, visit, false, given);
}

const NAMES = ['batch', 'blocks'] as const;

function apply<T>(
  context: TableContext,
  va: bigint,
  bytes: bigint | number,
  visit: SlotVisitor<T>,
  makesTables: boolean,
  given: Given<ApplyOptions>,
): T | undefined {
  return changeTables(
    context,
    () => {
      const range = pageRange(context.plan.format, va, bytes);
      const blocks = choiceOption(given, 'blocks', ['refuse', 'visit', 'split'], 'refuse');
      checkVisitor(visit);
      return applyPages(context, range, visit, makesTables, blocks, batchOf(context, given));
      // Alone on shared tables: a callback must not be called twice for an entry.
    },
    true,
  );
}

/**
 * Calls back with the entries of a range. Each table is visited once.
 *
 * @param makesTables - makes missing tables and visits empty entries; without it, both are skipped.
 * @param blocks - what to do with a leaf above the last level.
 * @returns what the callback returned, when it stopped the call.
 */
function applyPages<T>(
  context: TableContext,
  range: PageRange,
  visit: SlotVisitor<T>,
  makesTables: boolean,
  blocks: 'refuse' | 'visit' | 'split',
  batch: OwedFlushes | null,
): T | undefined {
  return changing(context, range, batch, (changes) => {
    const applier = new Applier(context, changes, range, visit, makesTables, blocks);
    applier.visitTable(visitRoot(context, range));
    return applier.result;
  });
}

class Applier<T> {
  result: T | undefined = undefined;
  readonly #context: TableContext;
  readonly #changes: ChangeSet;
  readonly #range: PageRange;
  readonly #visit: SlotVisitor<T>;
  readonly #makesTables: boolean;
  readonly #blocks: 'refuse' | 'visit' | 'split';
  readonly #met = new Set<number>();
  readonly #slot: EntrySlot;
  readonly #cutter: Cutter;

  constructor(
    context: TableContext,
    changes: ChangeSet,
    range: PageRange,
    visit: SlotVisitor<T>,
    makesTables: boolean,
    blocks: 'refuse' | 'visit' | 'split',
  ) {
    this.#context = context;
    this.#changes = changes;
    this.#range = range;
    this.#visit = visit;
    this.#makesTables = makesTables;
    this.#blocks = blocks;
    this.#slot = new EntrySlot(context, range);
    this.#cutter = {
      context,
      changes,
      maxShift: context.plan.pageShift,
      transform: (words, at, count, level, page) => {
        this.#visitEntries(words, at, count, level, page);
        this.#slot.write(words, at);
      },
    };
  }

  /** Visits a part of one table. */
  visitTable(table: TableVisit): void {
    const { plan, counters } = this.#context;
    const { level, bank, pfn, word, record, pages } = table;
    const before = table.done;
    const first = this.#range.first + before;
    counters.tablesRead++;
    // An entry that was set through the first link may be broken, and would look empty.
    if (this.#met.has(pfn)) throw linkedTwice(this.#context, first);
    this.#met.add(pfn);
    if (level.index === plan.last) {
      const at = word + 2 * table.slot;
      this.#visitSpan({ level, bank, at, count: pages, record, page: first }, table.slot);
      return;
    }
    const offset = table.slot * level.pages + table.inside;
    let step = 0;
    for (let done = 0; done < pages && this.result === undefined; done += step) {
      const slot = Math.floor((offset + done) / level.pages);
      const inside = offset + done - slot * level.pages;
      const page = first + done;
      step = Math.min(level.pages - inside, pages - done);
      const at = word + 2 * slot;
      // Taken afresh: the callback may have grown a WebAssembly.Memory.
      const lo = lowAt(bank, bank.words, at);
      const hi = highAt(bank, bank.words, at);
      counters.entriesRead++;
      const isEmpty = (lo | hi) === 0;
      if (isEmpty ? this.#makesTables : isTable(level, lo, hi)) {
        const child = isEmpty
          ? this.#changes.linkTable(level, bank, at, record, page)
          : childPfn(this.#context, lo, hi);
        const below = table.below(inside, before + done, step);
        this.visitTable(below.enter(child, writableBankOfTable(this.#context, child, page)));
      } else if (!isEmpty) {
        const block: Span = { level, bank, at, count: 1, record, page: page - inside };
        step = this.#visitBlock(block, slot, page, step, pages - done);
      }
    }
  }

  /** Visits entries of the last level. */
  #visitSpan(span: Span, slot: number): void {
    const { plan } = this.#context;
    if (this.#blocks !== 'split') {
      this.#visitInPlace(span);
      return;
    }
    partAtRuns(span, slot, this.#range, plan.pageShift, {
      span: (part) => this.#visitInPlace(part),
      cut: (group, from, to) => {
        if (this.result === undefined) applyCut(this.#cutter, { ...group, from, to });
      },
    });
  }

  #visitInPlace(span: Span): void {
    const { level, bank, at, count, page } = span;
    if (this.result !== undefined) return;
    this.#visitEntries(bank.words, at, count, level, page, bank);
    if (!this.#slot.isSet) return;
    // Read again: what the callback changed without the slot stays.
    const after = copyOut(bank, at, count);
    this.#slot.write(after, 0);
    this.#changes.rewrite(span, after);
  }

  /**
   * Visits a leaf above the last level, or refuses it.
   *
   * @param pages - of the range, inside it.
   * @param left - pages of the range from `from` on, in this table.
   * @returns how many pages were visited; for a run that is split, all that the range has of it.
   */
  #visitBlock(entry: Span, slot: number, from: number, pages: number, left: number): number {
    const { plan } = this.#context;
    const { level, bank, at } = entry;
    const { words } = bank;
    const lo = lowAt(bank, words, at);
    const hi = highAt(bank, words, at);
    const address = addressOf(plan.format, from);
    if (!isLeaf(level, lo, hi)) {
      const kind = classify(plan.format.present, level.level, { lo, hi });
      throw new VmError('EBUSY', `the ${level.level.name} slot holds an entry of the kind ${kind}`, {
        address,
        advice: 'a table is needed there: clear the entry first',
      });
    }
    if (this.#blocks === 'refuse') {
      throw new VmError('EINVAL', `a ${level.level.name} leaf of ${2 ** level.shift} bytes maps this`, {
        address,
        advice: "ask for the block itself with blocks: 'visit', or for its pages with blocks: 'split'",
      });
    }
    if (this.#blocks === 'visit') {
      this.#slot.isPartial = pages < level.pages;
      this.#visitInPlace(entry);
      this.#slot.isPartial = false;
      return pages;
    }
    // The blocks of a run are broken together. They are then no longer there to be met one by one.
    const group = wholeOf(entry, slot);
    let to = entry.page + level.pages;
    for (let next = at + 2; next < group.at + 2 * group.count; next += 2) {
      if (!isLeaf(level, lowAt(bank, words, next), highAt(bank, words, next))) break;
      to += level.pages;
    }
    to = Math.min(to, from + left);
    applyCut(this.#cutter, { ...group, from, to });
    return to - from;
  }

  /** Calls back with a run of entries. The slot keeps what the callback sets. */
  #visitEntries(
    words: Int32Array,
    at: number,
    count: number,
    level: LevelPlan,
    page: number,
    bank: Bank | null = null,
  ): void {
    const slot = this.#slot;
    slot.begin(words, at, level, page, bank);
    let visited = 0;
    try {
      for (; visited < count && this.result === undefined; visited++) {
        if (bank !== null) slot.words = bank.words;
        if (slot.move(visited) || this.#makesTables) this.result = this.#visit(slot);
      }
    } finally {
      slot.end();
    }
    if (bank !== null) this.#context.counters.entriesRead += visited;
  }
}
