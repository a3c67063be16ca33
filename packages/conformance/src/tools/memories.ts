import { PhysicalMemory, wasmLoops } from '@vmarea/core';

/** Bytes that are kept at most for the next cases. */
const MOST = 128 << 20;

let kept = 0;
const idle = new Map<number, PhysicalMemory[]>();
const used: PhysicalMemory[] = [];

/**
 * A memory for the case that runs, every byte 0xff: a table that is not zeroed where it must be is noticed.
 *
 * Memories of cases that have ended are used again. The host gives new memory page by page when it is touched: for a table of 64 KiB
 * pages that took two thirds of the suite's time.
 */
export function takeMemory(bytes: number): PhysicalMemory {
  const known = idle.get(bytes)?.pop();
  if (known !== undefined) kept -= bytes;
  const memory = known ?? PhysicalMemory.create({ loops: wasmLoops, bytes });
  for (const { words } of memory.banks) words.fill(-1);
  used.push(memory);
  return memory;
}

/** The case has ended: nothing of it uses its memories any more. */
export function endCase(): void {
  for (const memory of used.splice(0)) {
    const bytes = memory.banks[0]?.bytes ?? 0;
    if (bytes === 0 || kept + bytes > MOST) continue;
    kept += bytes;
    const list = idle.get(bytes);
    if (list === undefined) idle.set(bytes, [memory]);
    else list.push(memory);
  }
}
