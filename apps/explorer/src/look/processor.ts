import { type Access, type PageTableReader, PhysicalMemory } from '@vmarea/core';
import { Mmu } from '@vmarea/mmu';
import type { WalkView } from './calls.js';
import { readTable } from './read-table.js';

/** A table that a walk goes through. */
export interface PathTable {
  readonly level: number;
  readonly pa: bigint;
  readonly index: number;
}

const BANK_BYTES = 4096n;

/**
 * Lets a processor make an access: an `Mmu` over a copy of the tables on the way, so that it may set accessed and dirty bits,
 * and the dump stays as it is.
 */
export function accessOf(
  memory: PhysicalMemory,
  table: PageTableReader,
  path: readonly PathTable[],
  va: bigint,
  access: Access,
  controls: object,
): WalkView['processor'] {
  const { format, root } = table;
  const copy = copyOf(memory, table, path);
  const before = path.map((one) => entryAt(copy, one));
  const mmu = new Mmu({ memory: copy, tables: { format, root, controls } });
  const { pa, fault } = mmu.access(va, access.kind, access.user);
  const nameOf = (level: number): string => format.levels[level]?.name ?? String(level);
  const touched = path.flatMap((one, i) => {
    const after = entryAt(copy, one);
    return after === before[i] ? [] : [{ level: nameOf(one.level), before: before[i] as bigint, after }];
  });
  return {
    ...{ access, pa, touched },
    fault: fault === null ? null : { ...fault, level: nameOf(fault.level) },
    entriesRead: mmu.counters.entriesRead,
  };
}

function copyOf(memory: PhysicalMemory, table: PageTableReader, path: readonly PathTable[]): PhysicalMemory {
  const pageBytes = 1n << BigInt(table.format.pageShift);
  const frames = new Map<bigint, bigint>([[table.root - (table.root % pageBytes), pageBytes]]);
  for (const { level, pa } of path) {
    const first = pa - (pa % pageBytes);
    const bytes = 8n << BigInt(table.format.levels[level]?.bits ?? 0);
    frames.set(first, bytes > pageBytes ? bytes : pageBytes);
  }
  const copy = PhysicalMemory.of(
    [...frames].map(([base, bytes]) => ({ base, bytes: Number(bytes < BANK_BYTES ? BANK_BYTES : bytes) })),
  );
  for (const { level, pa } of path) {
    const entries = readTable(memory, table, level, pa);
    for (const [i, entry] of entries.entries()) if (entry !== 0n) copy.write64(pa + 8n * BigInt(i), entry);
  }
  return copy;
}

function entryAt(memory: PhysicalMemory, { pa, index }: PathTable): bigint {
  return memory.read64(pa + 8n * BigInt(index));
}
