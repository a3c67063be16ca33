import type { PageTable, PhysicalMemory, WalkStep } from '@vmarea/core';

/** The entry that a walk of an address reads at a level; the last one when none is given. */
export function entryAt(table: PageTable, va: bigint, level = -1): WalkStep {
  const step = table.walk(va).steps.at(level);
  if (step === undefined) throw new Error('no such entry is read');
  return step;
}

/** The leaves, as address, leaf size and count. */
export function sizes(table: PageTable): [bigint, number, number][] {
  return [...table.leaves()].map((run) => [run.va, run.leafShift, run.count]);
}

/**
 * Marks leaves of the last level as a run, by hand: arm64's contiguous bit 52, or riscv64's N with the size in PPN[3:0].
 *
 * @param va - of the first leaf.
 */
export function markRun(
  { table, memory }: { table: PageTable; memory: PhysicalMemory },
  va: bigint,
  leaves: number,
  mark: bigint,
): void {
  const isNapot = mark === 1n << 63n;
  for (let i = 0; i < leaves; i++) {
    const { address, entry } = entryAt(table, va + BigInt(i) * 4096n);
    memory.write64(address, (isNapot ? (entry & ~(0xfn << 10n)) | (8n << 10n) : entry) | mark);
  }
}
