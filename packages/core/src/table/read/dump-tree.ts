import { hex } from '../../errors.js';
import { classify } from '../../format/classify.js';
import type { LevelPlan } from '../../format/plan.js';
import type { Bank } from '../../memory/bank.js';
import { joinWords } from '../../words.js';
import { childPfn, isLeaf, isTable, type TableContext } from '../context.js';
import { leafStart } from '../leaf-start.js';
import { addressOf, type PageRange } from '../page-range.js';
import { type DeadEntries, type DumpText, endsOf, type LeftOut, leftOut } from './dump-text.js';
import type { EffectiveRights, Rights, TablePath } from './rights.js';
import { rootAddress } from './walk.js';

/** What one tree is made from, and the lines so far. */
interface Tree {
  readonly context: TableContext;
  readonly range: PageRange;
  readonly text: DumpText;
  readonly rights: EffectiveRights;
  readonly lines: number;
  readonly levels: number;
  readonly out: string[];
}

/** A table whose contents are to be listed. */
interface Place {
  readonly level: LevelPlan;
  readonly bank: Bank;
  readonly word: number;
  /** Index of the first page that it translates. */
  readonly page: number;
  readonly path: TablePath;
}

interface LeafEntries {
  readonly kind: 'leaf';
  readonly level: LevelPlan;
  readonly page: number;
  readonly pfn: number;
  /** The flags of all. */
  readonly lo: number;
  readonly hi: number;
  readonly rights: Rights;
  count: number;
}

interface TableEntry {
  readonly kind: 'table';
  readonly page: number;
  readonly slot: number;
  readonly lo: number;
  readonly hi: number;
}

type Item = LeafEntries | DeadEntries | TableEntry;

/** Lists the tables of a range as a tree, and what they hold. */
export function dumpTree(tree: Tree): void {
  const { plan, root, counters } = tree.context;
  const level = plan.levels[0] as LevelPlan;
  const place: Place = { level, bank: root.bank, word: root.word, page: 0, path: tree.rights.root };
  tree.out.push(tree.text.rootTable(rootAddress(tree.context), inUse(tree.context, place)));
  counters.tablesRead++;
  listEntries(tree, place);
}

/** The contents of a table, as lines that are indented by its depth. */
function listEntries(tree: Tree, place: Place): void {
  const items = itemsOf(tree, place);
  const indent = '  '.repeat(place.level.index + 1);
  const runs = items.reduce((count, { kind }) => (kind === 'table' ? count : count + 1), 0);
  const isWhole = runs <= tree.lines;
  const { head, tail } = isWhole ? { head: runs, tail: 0 } : endsOf(tree.lines);
  const left: LeftOut = { runs: 0, bytes: 0, missing: 0 };
  let leftOutAt = -1;
  let met = 0;
  for (const item of items) {
    if (item.kind === 'table') {
      listTable(tree, place, item, indent);
      continue;
    }
    if (met < head || met >= runs - tail) {
      tree.out.push(indent + lineOf(tree, item));
    } else {
      if (leftOutAt < 0) leftOutAt = tree.out.push('') - 1;
      left.runs++;
      left.bytes += item.count * 2 ** place.level.shift;
    }
    met++;
  }
  // Tables among those left out are listed: what is missing is known only now.
  if (leftOutAt >= 0) tree.out[leftOutAt] = indent + leftOut(left);
}

/** The line of a table, and what it holds. */
function listTable(tree: Tree, above: Place, entry: TableEntry, indent: string): void {
  const { context, range, text, out } = tree;
  const { plan, memory, counters } = context;
  const { lo, hi, page, slot } = entry;
  const pfn = childPfn(context, lo, hi);
  const level = plan.levels[above.level.index + 1] as LevelPlan;
  const table = { level: level.index, page, slot, pfn, lo, hi };
  const bank = memory.bankOf(pfn, plan.pageShift);
  if (bank === null) {
    out.push(indent + text.table(table, 'no bytes'));
    return;
  }
  counters.tablesRead++;
  const word = bank.wordOf(pfn, plan.pageShift);
  const place: Place = { level, bank, word, page, path: above.path.enter(lo, hi) };
  const { listed } = place.path;
  const earlier = listed.get(pfn);
  const isWhole = page >= range.first && page + above.level.pages <= range.first + range.pages;
  const isListed = level.index < tree.levels;
  const state = inUse(context, place);
  if (isListed && isWhole && earlier !== undefined) {
    out.push(`${indent}${text.table(table, state)}, listed at ${hex(addressOf(plan.format, earlier))}`);
    return;
  }
  if (isWhole) listed.set(pfn, page);
  out.push(indent + text.table(table, state));
  if (isListed) listEntries(tree, place);
}

/** What a table holds in the range, in slot order, with adjacent entries as runs. */
function itemsOf({ context, range, rights }: Tree, place: Place): Item[] {
  const { level, bank, word, page: start, path } = place;
  const { plan } = context;
  const { words } = bank;
  const middle = plan.format.range.upper === 'sign' ? plan.pages / 2 : -1;
  const first = Math.max(0, Math.floor((range.first - start) / level.pages));
  const end = Math.min(level.entries, Math.ceil((range.first + range.pages - start) / level.pages));
  const items: Item[] = [];
  for (let slot = first; slot < end; slot++) {
    const lo = words[word + 2 * slot] as number;
    const hi = words[word + 2 * slot + 1] as number;
    if ((lo | hi) === 0) continue;
    const page = start + slot * level.pages;
    if (isTable(level, lo, hi)) {
      items.push({ kind: 'table', page, slot, lo, hi });
      continue;
    }
    const last = items[items.length - 1];
    const isNext = last !== undefined && last.kind !== 'table' && page !== middle;
    const run = isNext && page === last.page + last.count * level.pages ? last : null;
    if (!isLeaf(level, lo, hi)) {
      const kind = classify(plan.format.present, level.level, { lo, hi }) as DeadEntries['kind'];
      if (run?.kind === kind && run.lo === lo && run.hi === hi) run.count++;
      else items.push({ kind, level, page, lo, hi, count: 1 });
      continue;
    }
    const flagsLo = lo & ~level.leafAddressLo;
    const flagsHi = hi & ~level.leafAddressHi;
    const pfn = leafStart(plan, level, lo, hi, slot);
    if (
      run?.kind === 'leaf' &&
      run.lo === flagsLo &&
      run.hi === flagsHi &&
      pfn === run.pfn + run.count * level.pages
    ) {
      run.count++;
      continue;
    }
    const allowed = rights.of(path, level, lo, hi);
    items.push({ kind: 'leaf', level, page, pfn, lo: flagsLo, hi: flagsHi, rights: allowed, count: 1 });
  }
  return items;
}

function lineOf({ context, text }: Tree, item: LeafEntries | DeadEntries): string {
  if (item.kind !== 'leaf') return text.dead(item);
  const { format, pageShift } = context.plan;
  return text.leaves({
    va: addressOf(format, item.page),
    count: item.count,
    leafShift: item.level.shift,
    level: item.level.index,
    pfn: item.pfn,
    pa: BigInt(item.pfn) << BigInt(pageShift),
    flags: joinWords(item.lo, item.hi),
    rights: item.rights,
  });
}

/** Counts the entries of a whole table that are not 0. */
function inUse({ counters }: TableContext, { level, bank, word }: Place): string {
  const { words } = bank;
  let count = 0;
  for (let at = word; at < word + 2 * level.entries; at += 2) {
    if (((words[at] as number) | (words[at + 1] as number)) !== 0) count++;
  }
  counters.entriesRead += level.entries;
  const { length } = String(level.entries);
  return `${String(count).padStart(length)} of ${level.entries} in use`;
}
