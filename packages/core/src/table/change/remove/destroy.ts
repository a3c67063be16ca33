import { VmError } from '../../../errors.js';
import type { LevelPlan } from '../../../format/plan.js';
import { loopsOf } from '../../../memory/bank.js';
import { readOnly, type TableContext } from '../../state/context.js';
import { childPfn, highAt, isTable, lowAt } from '../../state/entries.js';
import { flush } from '../../state/flush.js';
import { bankOfTable } from '../../state/table-banks.js';
import { freedByOthers, freeTables } from '../../state/tables.js';

/**
 * Frees every table that this page table made, after a flush that names them all.
 *
 * Tables that others made and linked into this tree (a kernel half that processes share) are left alone, and
 * so is everything below them.
 *
 * @throws VmError `EINVAL` when the root is not its own, or when the allocator does not hold one of the
 *   frames. Nothing is then changed.
 */
export function destroyTables(context: TableContext): void {
  const { plan, records, root, owner } = context;
  if (records === null) throw readOnly();
  if (context.isSharedOut) context.sharing?.requireAlone();
  if (context.owed.size > 0) {
    throw new VmError('EBUSY', 'a batch of this page table owes a flush', {
      advice: 'call its done() first',
    });
  }
  if (!records.isOwn(records.find(root.pfn), owner, 0)) {
    throw new VmError('EINVAL', 'the root was not made by this page table', {
      advice: 'an opened root stays with its owner: unmap what you mapped, with `reclaim`',
    });
  }
  const tables = new Set<number>();
  collect(context, 0, root.pfn, 0, tables);
  if (context.frames?.isAllocated(root.pfn, plan.rootOrder) !== true) throw freedByOthers(root.pfn);
  for (const pfn of tables) {
    if (!context.frames.isAllocated(pfn, 0)) throw freedByOthers(pfn);
  }
  flush(context, 0, plan.pages, plan.pageShift, [root.pfn, ...tables]);
  freeTables(context, [...tables]);
  const { frames, sharing } = context;
  if (sharing === null) {
    frames.free(root.pfn, plan.rootOrder);
    records.leave(root.pfn);
  } else {
    sharing.retire(context, [root.pfn], plan.rootOrder);
  }
  context.counters.tablesFreed++;
  context.isDestroyed = true;
}

/**
 * Adds the own tables below a table. A table that is met again (a self-map, two entries with one table)
 * counts once.
 */
function collect(
  context: TableContext,
  levelIndex: number,
  pfn: number,
  page: number,
  tables: Set<number>,
): void {
  const { plan, counters, records, owner } = context;
  if (levelIndex === plan.last || records === null) return;
  const level = plan.levels[levelIndex] as LevelPlan;
  const bank = bankOfTable(context, pfn, page);
  const word = bank.wordOf(pfn, plan.pageShift);
  const { words } = bank;
  const loops = loopsOf(bank);
  counters.tablesRead++;
  counters.entriesRead += level.entries;
  for (let slot = 0; slot < level.entries; slot++) {
    const lo = lowAt(bank, words, word + 2 * slot);
    const hi = highAt(bank, words, word + 2 * slot);
    if ((lo | hi) === 0 || !isTable(level, lo, hi)) {
      // On to the next entry that is neither 0 nor a plain leaf: a look at each of them took four times as long as to map them.
      const { maskLo, maskHi, valueLo, valueHi } = level.sureLeaf ?? NONE;
      const rest = level.entries - slot - 1;
      if (rest > 0) slot += loops.matching(word + 2 * slot + 2, rest, maskLo, maskHi, valueLo, valueHi);
      continue;
    }
    const child = childPfn(context, lo, hi);
    if (tables.has(child) || !records.isOwn(records.find(child), owner, levelIndex + 1)) continue;
    tables.add(child);
    collect(context, levelIndex + 1, child, page + slot * level.pages, tables);
  }
}

/** A level without leaves: only entries that are 0 are passed over. */
const NONE = { maskLo: -1, maskHi: -1, valueLo: 0, valueHi: 0 };
