import { entryHi, entryLo, pfnOf } from '../../../address-codec.js';
import type { EntryTemplate } from '../../../entry-template.js';
import { type LevelPlan, leafTemplate } from '../../../format/plan.js';
import { loopsOf } from '../../../memory/bank.js';
import type { TableContext } from '../../state/context.js';
import { copyOut, isLeaf, isTable, writeTableEntry } from '../../state/entries.js';
import { leafStart } from '../../state/leaf-start.js';
import { writableBankOfTable } from '../../state/table-banks.js';
import { recordOf } from '../../state/tables.js';
import type { Cut } from '../look/find.js';
import type { Span } from '../look/span.js';
import type { ChangeSet } from '../set/change-set.js';
import { compare } from '../set/compare.js';
import { tableRights } from './table-rights.js';

/**
 * Changes entries in place.
 *
 * @param words - two for each entry, from `at` on; not the table itself.
 * @param page - first page that the entries translate, counted from the start of the root's range.
 */
export type Transform = (
  words: Int32Array,
  at: number,
  count: number,
  level: LevelPlan,
  page: number,
) => void;

/** What the cuts of one call share. */
export interface Cutter {
  readonly context: TableContext;
  readonly changes: ChangeSet;
  /** The largest leaf that `transform` is given, log2 bytes. */
  readonly maxShift: number;
  /** Changes the pieces that the call is about; `null` when smaller leaves are all that is wanted. */
  readonly transform: Transform | null;
}

/**
 * Makes smaller leaves of a block, or unmarks a run, and transforms the part that the call is about.
 *
 * One write never changes both the size of a mapping and its other attributes. Where the change of size
 * needs a break, the entries are invalid in between, and may come back already transformed. Where it needs
 * none, a first write makes smaller leaves that translate the same, and a second one transforms them.
 */
export function applyCut(cutter: Cutter, cut: Cut): void {
  const { context, changes, maxShift, transform } = cutter;
  const { level, bank, at, count, page, from, to } = cut;
  changes.needAlone();
  const before = copyOut(bank, at, count);
  const same = before.slice();
  const lower: { child: number; from: number; to: number; page: number }[] = [];
  for (let i = 0; i < count; i++) {
    const lo = same[2 * i] as number;
    const hi = same[2 * i + 1] as number;
    if (!isLeaf(level, lo, hi)) continue;
    const start = page + i * level.pages;
    const here = { from: Math.max(from, start), to: Math.min(to, start + level.pages), page: start };
    const pages = here.to - here.from;
    const isPart = transform !== null && pages < level.pages;
    if (pages > 0 && (isPart || level.shift > maxShift)) {
      const pieces = piecesOf(context, level, lo, hi);
      const child = makePieces(cutter, cut, pieces, start);
      writeTableEntry(pieces.link, same, 2 * i, child);
      lower.push({ child, ...here });
    } else {
      unmark(context, level, same, i);
    }
  }
  const breaks = compare(context, cut, before, same).during !== null;
  const after = same.slice();
  if (!breaks) changes.rewrite(cut, same);
  for (const { child, ...part } of lower) cutPieces(cutter, level.index + 1, child, part);
  if (transform !== null) {
    for (let i = 0; i < count; i++) {
      const start = page + i * level.pages;
      const isNamed = from <= start && start + level.pages <= to;
      const lo = after[2 * i] as number;
      const hi = after[2 * i + 1] as number;
      if (isNamed && !isTable(level, lo, hi)) transform(after, 2 * i, 1, level, start);
    }
  }
  changes.rewrite(cut, after);
}

/** The leaves of the next level that together translate the same as one leaf. */
interface Pieces {
  /** First frame. */
  readonly pfn: number;
  readonly leaf: EntryTemplate;
  /** The entry that points to their table. */
  readonly link: EntryTemplate;
}

function piecesOf(context: TableContext, level: LevelPlan, lo: number, hi: number): Pieces {
  const { plan, link } = context;
  const below = plan.levels[level.index + 1] as LevelPlan;
  const whole = { lo: lo & ~level.leafAddressLo, hi: hi & ~level.leafAddressHi };
  const flags = plan.format.relevel(whole, level.index, below.index);
  // In a block, bits below its size are not address bits. In a smaller leaf they would be.
  const leaf = leafTemplate(plan, flags.lo & ~below.leafAddressLo, flags.hi & ~below.leafAddressHi);
  // A kernel's entry may forbid what a block of somebody else allows. The format's forbids nothing.
  const takes = link !== plan.link && tableRights(context).restricts(link, level.index, whole, leaf);
  return {
    pfn: pfnOf(plan.address, lo & level.leafAddressLo, hi & level.leafAddressHi),
    leaf,
    link: takes ? plan.link : link,
  };
}

/** Makes the table of the pieces of one leaf of the level above. */
function makePieces(cutter: Cutter, parent: Span, { pfn, leaf }: Pieces, page: number): number {
  const { context, changes } = cutter;
  const { plan, records, counters } = context;
  const below = plan.levels[parent.level.index + 1] as LevelPlan;
  const child = changes.makeTable(below.index, parent.record, page, true);
  const bank = writableBankOfTable(context, child, page);
  const word = bank.wordOf(child, plan.pageShift);
  loopsOf(bank).writeLinear(word, below.entries, pfn, below.pages, leaf);
  counters.entriesWritten += below.entries;
  records?.add(records.find(child), below.entries);
  return child;
}

/** Continues the cut, and transforms, inside a table of new pieces. */
function cutPieces(
  cutter: Cutter,
  levelIndex: number,
  pfn: number,
  part: { readonly from: number; readonly to: number; readonly page: number },
): void {
  const { context, changes, maxShift, transform } = cutter;
  const { plan } = context;
  const level = plan.levels[levelIndex] as LevelPlan;
  const bank = writableBankOfTable(context, pfn, part.page);
  const word = bank.wordOf(pfn, plan.pageShift);
  const record = recordOf(context, pfn);
  const spanOf = (slot: number, count: number): Span => ({
    level,
    bank,
    at: word + 2 * slot,
    count,
    record,
    page: part.page + slot * level.pages,
  });
  // Without a transform, small enough leaves are all that is wanted.
  const small = level.shift <= maxShift ? transform : null;
  if (level.shift <= maxShift && small === null) return;
  // Slots that the part covers whole. They may be transformed as they are.
  const first = Math.ceil((part.from - part.page) / level.pages);
  const end = Math.floor((part.to - part.page) / level.pages);
  for (let slot = Math.floor((part.from - part.page) / level.pages); ; slot++) {
    const start = part.page + slot * level.pages;
    if (start >= part.to) break;
    if (small !== null && slot === first && first < end) {
      const span = spanOf(first, end - first);
      const after = copyOut(bank, span.at, span.count);
      small(after, 0, span.count, level, start);
      changes.rewrite(span, after);
      slot = end - 1;
      continue;
    }
    const from = Math.max(part.from, start);
    applyCut(cutter, { ...spanOf(slot, 1), from, to: Math.min(part.to, start + level.pages) });
  }
}

/**
 * Takes the mark of a run from one of its leaves. The leaf then translates by itself what it translated as
 * part of the run.
 *
 * @param words - of the run, from its first leaf on.
 */
function unmark(context: TableContext, level: LevelPlan, words: Int32Array, leaf: number): void {
  if (level.level.run === null) return;
  const { format, address } = context.plan;
  const at = 2 * leaf;
  const lo = words[at] as number;
  const hi = words[at + 1] as number;
  const flags = { lo: lo & ~level.leafAddressLo, hi: hi & ~level.leafAddressHi };
  const plain = format.relevel(flags, level.index, level.index);
  const pfn = leafStart(context.plan, level, lo, hi, leaf);
  words[at] = plain.lo | entryLo(address, pfn);
  words[at + 1] = plain.hi | entryHi(address, pfn);
}
