import { VmError } from '../../errors.js';
import type { LevelPlan } from '../../format/plan.js';
import { loopsOf } from '../../memory/bank.js';
import { addressOf } from '../page-range.js';
import { readOnly, type TableContext } from './context.js';
import { bankOf, bankOfTable, physical } from './table-banks.js';

/** The handle of a table's record; -1 for a table that no engine made, or when nothing is counted. */
export function recordOf({ records }: TableContext, pfn: number): number {
  return records === null ? -1 : records.find(pfn);
}

/**
 * Takes a frame for a new table, zeroes it and starts its record.
 *
 * A table belongs to the owner of the table above it, so whoever destroys a tree frees all that engines put
 * into it. Below a table that no engine made, it belongs to this page table.
 *
 * @param parent - record of the table above; -1 for a root, or where there is none.
 * @param order - log2 of the adjacent frames; above 0 only for a large root.
 * @param page - index of the first page that the table translates, for the message.
 * @param isFilled - the call writes every entry before anybody can see the table, so it is not zeroed.
 * @throws VmError `ENOMEM` when the allocator has none; `EPERM` when the table is only read; `EINVAL` when a
 *   large root does not get adjacent bytes.
 */
export function newTable(
  context: TableContext,
  level: number,
  parent: number,
  order: number,
  page: number,
  isFilled: boolean = false,
): number {
  const { frames, records, plan, counters } = context;
  if (frames === null || records === null) throw readOnly();
  const pfn = frames.tryAllocate(order);
  if (pfn < 0) {
    throw new VmError('ENOMEM', `no frame for a ${plan.levels[level]?.level.name} table`, {
      ...(parent < 0 ? {} : { address: addressOf(plan.format, page) }),
      advice: 'give the allocator more frames with bytes, or unmap with `reclaim`',
    });
  }
  const bank = bankOf(context, pfn);
  const word = bank?.wordOf(pfn, plan.pageShift) ?? -1;
  const beyond = 2 ** order - 1;
  if (
    bank === null ||
    !bank.writable ||
    (beyond > 0 && bank.wordOf(pfn + beyond, plan.pageShift) !== word + beyond * plan.pageWords)
  ) {
    frames.free(pfn, order);
    throw new VmError(
      'EINVAL',
      `the frames at ${physical(context, pfn)} have no adjacent bytes that can be written`,
      {
        advice: 'give the allocator frames of one bank',
      },
    );
  }
  if (!isFilled) {
    loopsOf(bank).erase(word, (plan.pageWords / 2) * 2 ** order);
    counters.tablesZeroed++;
  }
  records.enter(pfn, level, parent < 0 ? context.owner : records.ownerOf(parent));
  counters.tablesAllocated++;
  return pfn;
}

/**
 * Takes frames for several new tables of one parent and starts their records. They are not zeroed.
 *
 * @param parent - record of the table above; -1 where there is none.
 * @returns their frames, the same as that many calls of `newTable` take; `null`, and nothing is done, when
 *   there are too few frames, or when one has no writable bytes.
 */
export function newTables(
  context: TableContext,
  level: number,
  parent: number,
  count: number,
): Float64Array | null {
  const { frames, records, counters } = context;
  const pfns = frames?.tryAllocateMany(count) ?? null;
  if (frames === null || records === null || pfns === null) return null;
  for (let i = 0; i < count; i++) {
    if (bankOf(context, pfns[i] as number)?.writable === true) continue;
    frames.freeMany(pfns);
    return null;
  }
  const owner = parent < 0 ? context.owner : records.ownerOf(parent);
  for (let i = 0; i < count; i++) records.enter(pfns[i] as number, level, owner);
  counters.tablesAllocated += count;
  return pfns;
}

/** Frees the frames of tables: all of them, or none when one cannot be freed. The caller has flushed. */
export function freeTables(context: TableContext, pfns: readonly number[]): void {
  if (pfns.length === 0) return;
  giveBack(context, pfns);
  context.counters.tablesFreed += pfns.length;
}

/** Gives frames back: at once; or on shared tables, once no thread can hold them. */
function giveBack(context: TableContext, pfns: readonly number[]): void {
  const { frames, records, sharing } = context;
  if (sharing !== null) {
    sharing.retire(context, pfns, 0);
    return;
  }
  frames?.freeMany(pfns);
  for (const pfn of pfns) records?.leave(pfn);
}

/**
 * Frees the frames of tables after their flush, even when a sink has freed some.
 *
 * @throws VmError `EINVAL` when somebody else freed one of them meanwhile; the others are free.
 */
export function freeHeldTables(context: TableContext, pfns: readonly number[]): void {
  const held = pfns.filter((pfn) => context.frames?.isAllocated(pfn) === true);
  freeTables(context, held);
  if (held.length === pfns.length) return;
  const lost = pfns.filter((pfn) => !held.includes(pfn));
  for (const pfn of lost) context.records?.leave(pfn);
  throw freedByOthers(lost[0] as number);
}

/**
 * True when this page table made the table, for this level, and every entry of it is 0.
 *
 * A count above 0 is believed without a scan. Entries that somebody else cleared only keep a table from
 * being reclaimed.
 */
export function isOwnAndEmpty(context: TableContext, pfn: number, level: number, page: number): boolean {
  const { records, owner, plan, counters } = context;
  const record = recordOf(context, pfn);
  if (records === null || !records.isOwn(record, owner, level) || records.live(record) > 0) return false;
  const { entries } = plan.levels[level] as LevelPlan;
  const bank = bankOfTable(context, pfn, page);
  const live = loopsOf(bank).firstLive(bank.wordOf(pfn, plan.pageShift), entries);
  counters.entriesRead += live < 0 ? entries : live + 1;
  return live < 0;
}

/** The error of a table whose frame the allocator no longer holds. */
export function freedByOthers(pfn: number): VmError {
  return new VmError(
    'EINVAL',
    `the table in frame 0x${pfn.toString(16)} was freed outside of this page table`,
  );
}
