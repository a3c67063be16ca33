import { CompactCopy } from '../../memory/compact-copy.js';
import type { TableRecords } from '../state/table-records.js';

/** The records of one allocator and the allocator's state at one moment. */
export interface RecordsCopy {
  readonly state: CompactCopy;
  readonly frames: CompactCopy;
  /** Owners from this number on came later. */
  readonly nextOwner: number;
  readonly gone: readonly number[];
  /** Watched owners that were destroyed or gone. */
  readonly destroyed: ReadonlySet<number>;
}

/** Copies the records, the allocator's state, and which page tables there are. */
export function copyRecords(records: TableRecords): RecordsCopy {
  const { words, nextOwner, gone } = records.bytes;
  return {
    state: CompactCopy.of(words),
    frames: CompactCopy.of(new Int32Array(records.frameState)),
    nextOwner,
    gone,
    destroyed: new Set(records.watched().flatMap((table) => (table.isDestroyed ? [table.owner] : []))),
  };
}

/**
 * Puts a copy back, and tells each watched page table whether it still exists.
 *
 * @param copy - `null` when no page table used the allocator yet: then all are gone, and what they took
 *   stays taken.
 */
export function restoreRecords(records: TableRecords, copy: RecordsCopy | null): void {
  const { words, nextOwner } = records.bytes;
  copy?.state.restore(words, null);
  copy?.frames.restore(new Int32Array(records.frameState), null);
  records.afterRestore(nextOwner, copy?.nextOwner ?? 0, copy?.gone ?? []);
  for (const table of records.watched()) table.isDestroyed = copy === null || !holdsOwner(copy, table.owner);
}

/** True when a copy holds a watched page table: it was made before, and was neither destroyed nor gone. */
export function holdsOwner(copy: RecordsCopy, owner: number): boolean {
  return owner < copy.nextOwner && !copy.destroyed.has(owner);
}
