import { classify } from '../../format/classify.js';
import type { LevelPlan } from '../../format/plan.js';
import type { Bank } from '../../memory/bank.js';
import type { PageRange } from '../page-range.js';
import type { TableContext } from '../state/context.js';
import { childPfn, isLeaf, isTable } from '../state/entries.js';
import { leafStart } from '../state/leaf-start.js';
import { isNext, isSameRun, type JudgedRun } from '../walk/items.js';
import { leafRun } from '../walk/leaves.js';
import type { MetTables } from '../walk/met-tables.js';
import { tableEntries } from '../walk/read-entry.js';
import type { EffectiveRights, JudgedLeaf, TablePath } from '../walk/rights.js';
import { rootAddress } from '../walk/walk.js';
import { type DeadEntries, type DumpText, endsOf, type LeftOut, leftOut } from './dump-text.js';

/** What a tree is made from, and its lines so far. */
interface Tree {
  readonly context: TableContext;
  readonly range: PageRange;
  readonly text: DumpText;
  readonly rights: EffectiveRights;
  readonly lines: number;
  readonly levels: number;
  readonly out: string[];
  readonly met: MetTables;
  /** What is known of the use of tables, by frame and level. */
  readonly used: Map<number, string>;
}

/** A table whose contents will be listed. */
interface Place {
  readonly level: LevelPlan;
  readonly bank: Bank;
  readonly word: number;
  /** Index of the first page that it translates. */
  readonly page: number;
  readonly path: TablePath;
}

interface LeafEntries extends JudgedRun {
  readonly kind: 'leaf';
  readonly judged: JudgedLeaf;
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
  const { plan, root } = tree.context;
  const level = plan.levels[0] as LevelPlan;
  const place: Place = { level, bank: root.bank, word: root.word, page: 0, path: tree.rights.root };
  tree.out.push(tree.text.rootTable(rootAddress(tree.context), inUse(tree, root.pfn, place)));
  listEntries(tree, place);
}

/** Lists the contents of a table, as lines indented by its depth. */
function listEntries(tree: Tree, place: Place): void {
  const { lines, out, text, context } = tree;
  const items = itemsOf(tree, place);
  const indent = '  '.repeat(place.level.index + 1);
  const list = (item: Item): void => {
    if (item.kind === 'table') listTable(tree, place, item, indent);
    else if (item.kind !== 'leaf') out.push(indent + text.dead(item));
    else out.push(indent + text.leaves(leafRun(context.plan, item, item.judged)));
  };
  if (items.length <= lines) {
    for (const item of items) list(item);
    return;
  }
  const { head, tail } = endsOf(lines);
  const after = items.length - tail;
  for (const item of items.slice(0, head)) list(item);
  out.push(indent + leftOut(sumOf(items.slice(head, after), place.level, context.plan.pageShift), ''));
  for (const item of items.slice(after)) list(item);
}

function sumOf(items: readonly Item[], level: LevelPlan, pageShift: number): LeftOut {
  const tables = items.filter(({ kind }) => kind === 'table').length;
  const entries = items.reduce((sum, item) => sum + (item.kind === 'table' ? 1 : item.count), 0);
  return { runs: items.length - tables, tables, again: 0, bytes: entries * level.pages * 2 ** pageShift };
}

/** Writes the line of a table, then its contents. */
function listTable(tree: Tree, above: Place, entry: TableEntry, indent: string): void {
  const { context, range, text, out, met } = tree;
  const { plan, memory } = context;
  const { lo, hi, page, slot } = entry;
  const pfn = childPfn(context, lo, hi);
  const level = plan.levels[above.level.index + 1] as LevelPlan;
  const table = { level: level.index, page, slot, pfn, lo, hi };
  const bank = memory.bankOf(pfn, plan.pageShift);
  if (bank === null) {
    out.push(indent + text.table(table, 'no bytes'));
    return;
  }
  const word = bank.wordOf(pfn, plan.pageShift);
  const place: Place = { level, bank, word, page, path: above.path.enter(lo, hi) };
  const state = inUse(tree, pfn, place);
  if (level.index >= tree.levels) {
    out.push(indent + text.table(table, state));
    return;
  }
  const isWhole = page >= range.first && page + above.level.pages <= range.first + range.pages;
  const earlier = isWhole ? met.find(level.index, pfn, place.path) : null;
  if (earlier !== null && !met.spend(earlier, place.path, level.entries)) {
    out.push(`${indent}${text.table(table, `${state}, ${text.reason({ met: earlier, path: place.path })}`)}`);
    return;
  }
  if (earlier !== null) {
    context.counters.tablesRead++;
    context.counters.entriesRead += level.entries;
  }
  if (isWhole) met.add(level.index, pfn, place.path, page);
  out.push(indent + text.table(table, state));
  listEntries(tree, place);
}

/** What a table holds in the range, in slot order. Adjacent entries are runs. */
function itemsOf({ context, range, rights }: Tree, place: Place): Item[] {
  const { level, page: start, path } = place;
  const { plan } = context;
  const first = Math.max(0, Math.floor((range.first - start) / level.pages));
  const end = Math.min(level.entries, Math.ceil((range.first + range.pages - start) / level.pages));
  const { bank, word } = tableEntries(place.bank, place.word, first, end);
  const { words } = bank;
  const items: Item[] = [];
  for (let slot = first; slot < end; slot++) {
    const lo = words[word + 2 * slot] as number;
    const hi = words[word + 2 * slot + 1] as number;
    if ((lo | hi) === 0) continue;
    const page = start + slot * level.pages;
    const last = items[items.length - 1];
    if (isTable(level, lo, hi)) {
      items.push({ kind: 'table', page, slot, lo, hi });
    } else if (!isLeaf(level, lo, hi)) {
      const kind = classify(plan.format.present, level.level, { lo, hi }) as DeadEntries['kind'];
      if (last?.kind === kind && last.lo === lo && last.hi === hi && isNext(plan, last, page)) last.count++;
      else items.push({ kind, level, page, lo, hi, count: 1 });
    } else {
      const flagsLo = lo & ~level.leafAddressLo;
      const flagsHi = hi & ~level.leafAddressHi;
      const pfn = leafStart(plan, level, lo, hi, slot);
      if (
        last?.kind === 'leaf' &&
        isSameRun(last, level, pfn, flagsLo, flagsHi) &&
        isNext(plan, last, page)
      ) {
        last.count++;
      } else {
        const judged = rights.of(path, level, lo, hi);
        items.push({ kind: 'leaf', level, page, pfn, flagsLo, flagsHi, judged, path, count: 1 });
      }
    }
  }
  return items;
}

/** Counts the entries of a whole table that are not 0. Each table is counted once for each level. */
function inUse({ context, used }: Tree, pfn: number, { level, ...place }: Place): string {
  const key = pfn * 8 + level.index;
  const known = used.get(key);
  if (known !== undefined) return known;
  const { counters } = context;
  const { bank, word } = tableEntries(place.bank, place.word, 0, level.entries);
  const { words } = bank;
  let count = 0;
  for (let at = word; at < word + 2 * level.entries; at += 2) {
    if (((words[at] as number) | (words[at + 1] as number)) !== 0) count++;
  }
  counters.tablesRead++;
  counters.entriesRead += level.entries;
  const { length } = String(level.entries);
  const state = `${String(count).padStart(length)} of ${level.entries} in use`;
  used.set(key, state);
  return state;
}
