import { VmError } from '../../errors.js';
import type { Controls } from '../../format/access.js';
import type { Bank } from '../../memory/bank.js';
import { CompactCopy } from '../../memory/compact-copy.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { PageTable } from '../page-table.js';
import { hasAreas } from '../state/area-users.js';
import { changeTables } from '../state/change-lock.js';
import { readOnly, TableContext, type TablePlace } from '../state/context.js';
import { childPfn, isTable } from '../state/entries.js';
import { flush } from '../state/flush.js';
import { contextBehind, contextOf } from '../state/registry.js';
import { TableRecords } from '../state/table-records.js';
import { copyRecords, holdsOwner, type RecordsCopy, restoreRecords } from './records-copy.js';

/**
 * The bytes of a memory, the state of its allocators, and what the engine keeps about its tables, at one
 * moment. It also keeps which page tables there were.
 *
 * `takeSnapshot` makes one. It never changes. It can be restored any number of times and in any order, in
 * the memory and with the allocators it was made of. It is not a file format.
 *
 * It does not keep read-only banks, counters and the caller's own objects. It does not know areas, so it is
 * refused while an `AddressSpace` shares the memory or an allocator. Nor does it keep an allocator
 * that no page table of the memory had taken tables from. Page tables that used such an allocator later are
 * gone after a restore, and what they took stays taken.
 */
export interface Snapshot {
  /** Bytes that the snapshot takes. Pages of zeros take none. */
  readonly bytes: number;
}

/** The one implementation of `Snapshot`. */
class TakenSnapshot implements Snapshot {
  readonly bytes: number;
  readonly #memory: PhysicalMemory;
  readonly #banks: ReadonlyMap<Bank, CompactCopy>;
  readonly #records: ReadonlyMap<TableRecords, RecordsCopy>;

  constructor(memory: PhysicalMemory) {
    const records = TableRecords.over(memory).map((one) => [one, copyRecords(one)] as const);
    const banks = writableBanks(memory).map((bank) => [bank, CompactCopy.of(bank.words)] as const);
    this.#memory = memory;
    this.#banks = new Map(banks);
    this.#records = new Map(records);
    const copies = [...this.#banks.values(), ...records.flatMap(([, { state, frames }]) => [state, frames])];
    this.bytes = copies.reduce((sum, copy) => sum + copy.bytes, 0);
    Object.freeze(this);
  }

  static is(value: unknown): value is TakenSnapshot {
    return typeof value === 'object' && value !== null && #memory in value;
  }

  isOf(memory: PhysicalMemory): boolean {
    return this.#memory === memory;
  }

  /** What is kept of an allocator and its page tables; `null` when no page table had used it. */
  of(records: TableRecords): RecordsCopy | null {
    return this.#records.get(records) ?? null;
  }

  /** Refuses a memory that lost bytes. */
  requireBanks(): void {
    const banks = writableBanks(this.#memory);
    let cause: unknown;
    try {
      const isSame = (bank: Bank): boolean => this.#banks.get(bank)?.length === bank.words.length;
      if (banks.length === this.#banks.size && banks.every(isSame)) return;
    } catch (error) {
      cause = error;
    }
    throw new VmError('EINVAL', 'the memory does not have the banks of the snapshot', { cause });
  }

  /** Restores the bytes, and notes what each page that differs held. */
  restoreBytes(replaced: Replaced[]): void {
    for (const [bank, copy] of this.#banks) {
      copy.restore(bank.words, (at, old) => replaced.push({ bank, at, old }));
    }
  }
}

/** Words that a restore replaced. */
interface Replaced {
  readonly bank: Bank;
  readonly at: number;
  readonly old: Int32Array;
}

/**
 * Keeps the bytes of the memory, the state of its allocators and the engine's records as they are now.
 *
 * @param table - any page table in the memory.
 * @throws VmError `EINVAL` when a page table in another memory takes its tables from the same allocator, when
 *   an `AddressSpace` has its tables in this memory or takes pages from such an allocator, when threads share page
 *   tables in it, or the table was destroyed; `EBUSY` while a batch of a page table in this memory owes a flush, or from
 *   within the sink or callback of one; `EFAULT` when the memory lost bytes; `EPERM` when its root is in
 *   read-only memory.
 */
export function takeSnapshot<C extends Controls>(table: PageTable<C>): Snapshot {
  return changeTables(contextOf(table), take);
}

function take(context: TableContext): Snapshot {
  requireIdle(context);
  requireOneThread(context);
  requireOneMemory(context);
  requireNoAreas(context);
  return new TakenSnapshot(context.memory);
}

/**
 * Puts memory, allocators and records back as they were. It can be done any number of times, and in any
 * order.
 *
 * All page tables in the memory go back together. One that was made or opened since the snapshot is then
 * gone: its calls throw `EINVAL`. One that was destroyed since then exists again. Both hold until another
 * snapshot is restored. A `PageTableReader` stays, and is not flushed.
 *
 * Every page table that exists at the call flushes everything through its own sink. The flush names the
 * tables that its addresses lose. A destroyed page table was flushed when it was destroyed. When a sink
 * throws, the bytes go back, and then all are flushed once more.
 *
 * @param table - any page table that the snapshot holds, destroyed or not.
 * @throws VmError `EINVAL` when the snapshot is of another memory or allocator, does not hold this page
 *   table, or has banks that lost bytes, and as `takeSnapshot` (an address space shares them); `EBUSY` as `takeSnapshot`, and when a sink
 *   allocates or frees frames; `EPERM` when the root is in read-only memory; what a sink throws. Nothing is
 *   then changed.
 * @example
 * ```ts
 * const before = takeSnapshot(table);
 * table.unmap(0xffffc90000000000n, 0x2000n);
 * restoreSnapshot(table, before); // mapped again
 * ```
 */
export function restoreSnapshot<C extends Controls>(table: PageTable<C>, snapshot: Snapshot): void {
  changeTables(contextBehind(table), (context) => restore(context, snapshot));
}

/**
 * Restores in this order: the bytes; a flush by every page table that exists now, of all that it translates,
 * naming the tables that its addresses lose; the allocators, the records, and which page tables there are.
 *
 * The sinks come before the allocators, since no freed table's frame may be reused before its flush. A page
 * table that comes back is not flushed: it was flushed when it was destroyed, or when a restore removed it.
 *
 * When a sink throws, the old bytes are put back and all these page tables are flushed again: a walk may
 * have met the snapshot's entries meanwhile. That flush names the snapshot's tables that the addresses lose.
 * Their frames may be free. Its errors are dropped.
 */
function restore(context: TableContext, snapshot: Snapshot): void {
  const { memory, records, owner } = context;
  if (records === null) throw readOnly();
  if (!TakenSnapshot.is(snapshot)) {
    throw new VmError('EINVAL', `the snapshot has type ${typeof snapshot}`, {
      advice: 'pass the result of takeSnapshot() in the same memory',
    });
  }
  const copy = snapshot.of(records);
  if (!snapshot.isOf(memory) || copy === null) {
    throw new VmError('EINVAL', 'the snapshot is of another memory or another allocator');
  }
  requireIdle(context);
  requireOneThread(context);
  requireOneMemory(context);
  requireNoAreas(context);
  if (!holdsOwner(copy, owner)) {
    throw new VmError('EINVAL', 'this page table was made after the snapshot, or destroyed before it', {
      advice: 'restore it through a page table that the snapshot holds',
    });
  }
  snapshot.requireBanks();
  const all = TableRecords.over(memory);
  const tables = all.flatMap(tablesOf);
  const alive = tables.filter((one) => !one.isDestroyed);
  const links = alive.map(linksOf);
  const states = all.map((one) => CompactCopy.of(stateOf(one)));
  const replaced: Replaced[] = [];
  for (const one of tables) one.isChanging = true;
  try {
    snapshot.restoreBytes(replaced);
    const losses = alive.map((one, i) => lossesOf(one, links[i] as Link[], !isHeld(one, snapshot)));
    for (const [i, one] of alive.entries()) {
      flush(one, 0, one.plan.pages, one.plan.pageShift, losses[i] as number[]);
    }
    if (!all.every((one, i) => states[i]?.matches(stateOf(one)))) {
      throw new VmError('EBUSY', 'a flush sink took or gave back frames during the restore');
    }
  } catch (error) {
    takeBack(alive, replaced);
    throw error;
  } finally {
    for (const one of tables) {
      one.isChanging = one === context;
      one.generation++;
    }
  }
  for (const one of all) restoreRecords(one, snapshot.of(one));
}

/**
 * Undoes a restore that failed: puts the old bytes back and flushes, since walks may have met the snapshot's
 * tables.
 */
function takeBack(tables: readonly TableContext[], replaced: readonly Replaced[]): void {
  const links = tables.map(linksOf);
  for (const { bank, at, old } of replaced) bank.words.set(old, at);
  const losses = tables.map((one, i) => lossesOf(one, links[i] as Link[], false));
  for (const [i, one] of tables.entries()) {
    const { pages, pageShift, format } = one.plan;
    // Each half around a hole has its own try: a sink that throws for the first is still called for the
    // second.
    const part = format.range.upper === 'sign' ? pages / 2 : pages;
    for (let first = 0; first < pages; first += part) {
      try {
        flush(one, first, part, pageShift, losses[i] as number[]);
      } catch {
        // A sink must not throw (see FlushSink). The first error is the one to report.
      }
    }
  }
}

/** Refuses while tables are neither in a tree nor free, or while a change is half done. */
function requireIdle(context: TableContext): void {
  for (const records of TableRecords.over(context.memory)) {
    if (records.batches > 0) {
      throw new VmError('EBUSY', 'a batch of a page table in this memory owes a flush', {
        advice: 'call its done() first',
      });
    }
    if (tablesOf(records).some((one) => one !== context && one.isChanging)) {
      throw new VmError('EBUSY', 'another page table in this memory is in the middle of a change', {
        advice: 'take and restore snapshots outside of flush sinks and callbacks',
      });
    }
  }
}

/** Refuses where other threads may be in the middle of a call: a restore would take it back by half. */
function requireOneThread({ memory }: TableContext): void {
  if (
    !TableRecords.over(memory)
      .flatMap(tablesOf)
      .some(({ sharing }) => sharing !== null)
  )
    return;
  throw new VmError('EINVAL', 'threads share page tables in this memory', {
    advice: 'take snapshots of memory whose tables were made without `threads`',
  });
}

/**
 * Refuses when an allocator's frames are tables in two memories: a restore would take back the records of
 * both, but the bytes of only one.
 */
function requireOneMemory({ memory }: TableContext): void {
  const tables = TableRecords.over(memory).flatMap(tablesOf);
  if (tables.some((one) => one.memory !== memory && !one.isDestroyed)) {
    throw new VmError('EINVAL', 'a page table in another memory takes its tables from the same allocator', {
      advice: 'give each memory an allocator of its own',
    });
  }
}

/**
 * Refuses while areas of an address space use a frame that a restore would take back. The restore does not know
 * the areas: somebody else would get their frames while they are still mapped.
 */
function requireNoAreas({ memory }: TableContext): void {
  if (!TableRecords.over(memory).some(({ frameState }) => hasAreas(frameState))) return;
  throw new VmError('EINVAL', 'areas of an address space use frames that a restore would take back', {
    advice: 'give the address space a memory and an allocator of its own, or destroy it first',
  });
}

/** The watched page tables that somebody still holds, oldest first. */
function tablesOf(records: TableRecords): TableContext[] {
  return records.watched().filter((one) => one instanceof TableContext);
}

/** True when a page table exists after a restore. */
function isHeld({ records, owner }: TableContext, snapshot: TakenSnapshot): boolean {
  const copy = records === null ? null : snapshot.of(records);
  return copy !== null && holdsOwner(copy, owner);
}

/** The words of an allocator's state. */
function stateOf({ frameState }: TableRecords): Int32Array {
  return new Int32Array(frameState);
}

function writableBanks(memory: PhysicalMemory): Bank[] {
  return memory.banks.filter((bank) => bank.writable && bank.linear);
}

/** An entry that points to a table. */
interface Link {
  /** Level and frame of the table that holds the entry. */
  readonly level: number;
  readonly parent: number;
  readonly bank: Bank;
  readonly at: number;
  readonly lo: number;
  readonly hi: number;
  readonly child: number;
}

/**
 * Every entry of a tree that points to a table, upper levels first. Empty when there is no sink to tell.
 *
 * A table is read once for each level it is used at, however many entries name it, so self-maps end.
 */
function linksOf(context: TableContext): Link[] {
  const { plan, root, memory, sink } = context;
  const links: Link[] = [];
  if (sink === null) return links;
  let tables: Map<number, TablePlace> = new Map([[root.pfn, root]]);
  for (const level of plan.levels.slice(0, plan.last)) {
    const below = new Map<number, TablePlace>();
    for (const { pfn, bank, word } of tables.values()) {
      const { words } = bank;
      for (let at = word; at < word + 2 * level.entries; at += 2) {
        const lo = words[at] as number;
        const hi = words[at + 1] as number;
        if ((lo | hi) === 0 || !isTable(level, lo, hi)) continue;
        const child = childPfn(context, lo, hi);
        links.push({ level: level.index, parent: pfn, bank, at, lo, hi, child });
        const place = below.has(child) ? null : memory.locate(child, plan.pageShift);
        if (place !== null) below.set(child, { pfn: child, ...place });
      }
    }
    tables = below;
  }
  return links;
}

/**
 * The tables that the addresses of a root have lost: those whose entry has changed, and all below them. A
 * root that goes loses itself and everything below.
 *
 * Ownership does not tell. A table that was freed and made again for another address is on record both
 * times, yet a walk cache that keeps it would serve it at the wrong place.
 *
 * @param links - of the tree as it was.
 */
function lossesOf({ plan, root }: TableContext, links: readonly Link[], losesRoot: boolean): number[] {
  const lost = plan.levels.map(() => new Set<number>());
  if (losesRoot) lost[0]?.add(root.pfn);
  for (const { level, parent, bank, at, lo, hi, child } of links) {
    const { words } = bank;
    if (words[at] === lo && words[at + 1] === hi && lost[level]?.has(parent) !== true) continue;
    lost[level + 1]?.add(child);
  }
  return [...new Set(lost.flatMap((pfns) => [...pfns]))];
}
