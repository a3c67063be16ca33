import { type AddressSpace, type LeafRun, type LeafSize, leafSizes } from '@vmarea/core';

/** Leaves that are counted between two reports of progress. */
const LEAVES = 2 ** 18;

/**
 * Counts the leaves by size, a part of them at a time.
 *
 * @param step - called after each part, with the bytes that its leaves map.
 * @param each - is given each run of leaves, in the order of addresses.
 */
export async function leavesOf(
  table: AddressSpace['table'],
  step: (bytes: number) => Promise<void>,
  each: (run: LeafRun) => void,
): Promise<LeafSize[]> {
  const counts = new Map<number, number>();
  let part: LeafRun[] = [];
  const add = async () => {
    let mapped = 0;
    for (const { bytes, count } of leafSizes(table.format, part)) {
      counts.set(bytes, (counts.get(bytes) ?? 0) + count);
      mapped += bytes * count;
    }
    part = [];
    await step(mapped);
  };
  for (const run of table.leaves(undefined, undefined, { complete: true })) {
    part.push(run);
    each(run);
    if (part.length === LEAVES) await add();
  }
  await add();
  return [...counts].sort(([a], [b]) => a - b).map(([bytes, count]) => ({ bytes, count }));
}
