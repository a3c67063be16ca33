import { joinWords } from '../../words.js';
import { addressOf } from '../page-range.js';
import type { TableContext } from '../state/context.js';
import { isLeaf, isTable } from '../state/entries.js';
import { leafStart } from '../state/leaf-start.js';
import { ProtectionCache } from '../walk/protection-cache.js';
import { tableEntries } from '../walk/read-entry.js';
import type { Findings, TableFinding } from './finding.js';
import { type CheckedTable, ofEntry } from './place.js';

/** Finds leaves that map the frame of a table, and may write. It reads the tables a second time. */
export function findMapped(
  context: TableContext,
  findings: Findings,
  met: ReadonlyMap<number, CheckedTable>,
): void {
  const frames = Float64Array.from(met.keys()).sort();
  const known = new ProtectionCache(context.plan.format);
  for (const table of new Set(met.values())) {
    const { level } = table;
    const { bank, word } = tableEntries(table.bank, table.word, 0, level.entries);
    context.counters.entriesRead += level.entries;
    for (let slot = 0; slot < level.entries; slot++) {
      const lo = bank.words[word + 2 * slot] as number;
      const hi = bank.words[word + 2 * slot + 1] as number;
      if ((lo | hi) === 0 || isTable(level, lo, hi) || !isLeaf(level, lo, hi)) continue;
      const first = leafStart(context.plan, level, lo, hi, slot);
      const at = lowerBound(frames, first);
      if (at === frames.length || (frames[at] as number) >= first + level.pages) continue;
      const [flagsLo, flagsHi] = [lo & ~level.leafAddressLo, hi & ~level.leafAddressHi];
      if (!known.find(level.index, flagsLo, flagsHi).write) continue;
      const count = lowerBound(frames, first + level.pages) - at;
      const entry = joinWords(lo, hi);
      findings.addMany(count, (i) =>
        finding(context, table, { slot, entry, first }, frames[at + i] as number),
      );
    }
  }
}

/** A leaf that maps the frame of a table. */
function finding(
  context: TableContext,
  table: CheckedTable,
  { slot, entry, first }: { readonly slot: number; readonly entry: bigint; readonly first: number },
  pfn: number,
): TableFinding {
  const { plan } = context;
  const text = 'maps the frame of a table, and may write';
  const found = ofEntry(context, table, slot, { kind: 'mapped', entry, pfn }, text);
  const page = table.page + slot * table.level.pages + (pfn - first);
  return { ...found, va: addressOf(plan.format, page), bytes: 1n << BigInt(plan.pageShift) };
}

/** Index of the first number that is at least `value`. */
function lowerBound(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
