import { type AddressSpace, type LeafRun, type LeafSize, leafSizes } from '@vmarea/core';

/** Leaves that are counted between two reports of progress. */
const LEAVES = 2 ** 18;

/** Counts the leaves by size, a part of them at a time. */
export async function leavesOf(table: AddressSpace['table'], step: () => Promise<void>): Promise<LeafSize[]> {
  const counts = new Map<number, number>();
  let part: LeafRun[] = [];
  const add = () => {
    for (const { bytes, count } of leafSizes(table.format, part))
      counts.set(bytes, (counts.get(bytes) ?? 0) + count);
    part = [];
  };
  for (const run of table.leaves()) {
    part.push(run);
    if (part.length < LEAVES) continue;
    add();
    await step();
  }
  add();
  return [...counts].sort(([a], [b]) => a - b).map(([bytes, count]) => ({ bytes, count }));
}
