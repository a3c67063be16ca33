import { joinWords, words } from '../../words.js';
import { addressOf } from '../page-range.js';
import type { TableContext } from '../state/context.js';
import { isLeaf, isTable } from '../state/entries.js';
import { leafStart } from '../state/leaf-start.js';
import { tableEntries } from '../walk/read-entry.js';
import type { Findings } from './finding.js';
import { type CheckedTable, ofEntry } from './place.js';

/** Finds leaves that map the frame of a table, and may write. It reads the tables a second time. */
export function findMapped(
  context: TableContext,
  findings: Findings,
  met: ReadonlyMap<number, CheckedTable>,
): void {
  const frames = Float64Array.from(met.keys()).sort();
  for (const table of new Set(met.values())) {
    const { level } = table;
    const { bank, word } = tableEntries(table.bank, table.word, 0, level.entries);
    const writes = new Map<bigint, boolean>();
    context.counters.entriesRead += level.entries;
    for (let slot = 0; slot < level.entries; slot++) {
      const lo = bank.words[word + 2 * slot] as number;
      const hi = bank.words[word + 2 * slot + 1] as number;
      if ((lo | hi) === 0 || isTable(level, lo, hi) || !isLeaf(level, lo, hi)) continue;
      const first = leafStart(context.plan, level, lo, hi, slot);
      let at = lowerBound(frames, first);
      if (at === frames.length || (frames[at] as number) >= first + level.pages) continue;
      const flags = joinWords(lo & ~level.leafAddressLo, hi & ~level.leafAddressHi);
      let mayWrite = writes.get(flags);
      if (mayWrite === undefined) {
        mayWrite = context.plan.format.decode(words(flags), level.index).write;
        writes.set(flags, mayWrite);
      }
      for (; mayWrite && at < frames.length && (frames[at] as number) < first + level.pages; at++)
        add(context, findings, table, slot, joinWords(lo, hi), first, frames[at] as number);
    }
  }
}

function add(
  context: TableContext,
  findings: Findings,
  table: CheckedTable,
  slot: number,
  entry: bigint,
  first: number,
  pfn: number,
): void {
  const { plan } = context;
  findings.add(() => {
    const found = ofEntry(
      context,
      table,
      slot,
      { kind: 'mapped', entry, pfn },
      'maps the frame of a table, and may write',
    );
    const page = table.page + slot * table.level.pages + (pfn - first);
    return { ...found, va: addressOf(plan.format, page), bytes: 1n << BigInt(plan.pageShift) };
  });
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
