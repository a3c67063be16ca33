import type { Random } from '@vmarea/compare';
import {
  collapseLeaves,
  FrameAllocator,
  type Level,
  PageTable,
  type PageTableFormat,
  type PhysicalMemory,
  type Protection,
  splitLeaves,
  VmError,
} from '@vmarea/core';
import type { Subject, Target } from '../target.js';
import { inRange } from './address.js';
import { anyFrame, anyProtection, below, chance, oneOf } from './draw.js';
import { strayed } from './random-entries.js';
import type { Tables } from './tables.js';

/** The number of calls that build the tables of a batch. */
const CALLS = 40;

/** Builds tables with calls of a `PageTable`: map, unmap, protect, split, collapse, with all sizes of leaves and runs. */
export function built(target: Target, { format }: Subject, memory: PhysicalMemory, random: Random): Tables {
  const frames = new FrameAllocator(memory, {
    pageShift: format.pageShift,
    scatter: random.next(2 ** 32),
  });
  const table = new PageTable({ format, memory, frames });
  const kept = target.rootEntries(format);
  for (const [slot, entry] of kept) memory.write64(table.root + 8n * BigInt(slot), entry);
  const places: [va: bigint, bytes: bigint][] = [];
  for (let i = 0; i < CALLS; i++) call(target, format, table, places, kept, random);
  return { memory, root: table.root, addresses: (draw) => addressIn(format, places, draw) };
}

/** Makes one call. The page table may refuse it. */
function call(
  target: Target,
  format: PageTableFormat,
  table: PageTable,
  places: [bigint, bigint][],
  kept: ReadonlyMap<number, bigint>,
  random: Random,
): void {
  const page = 1n << BigInt(format.pageShift);
  const known = places.length > 0 && chance(random, 60) ? oneOf(random, places) : null;
  try {
    if (known === null) {
      const size = oneOf(random, sizes(format));
      const bytes = chance(random, 50) ? 1n << BigInt(size) : page * (1n + below(random, 40n));
      const va = placeFor(format, size, kept, random);
      table.mapRange(va, anyFrame(format, target.ram, size, random), bytes, sayable(format, random), {
        maxLeafShift: size,
      });
      places.push([va, bytes]);
      return;
    }
    const [start, bytes] = known;
    const pages = bytes / page;
    const first = chance(random, 40) ? 0n : below(random, pages);
    const count = chance(random, 40) ? pages - first : 1n + below(random, pages - first);
    const va = start + first * page;
    const kind = random.next(4);
    if (kind === 0) table.unmap(va, count * page, { reclaim: chance(random, 50) });
    else if (kind === 1) {
      const { write, execute, user } = sayable(format, random);
      table.protect(va, count * page, { write, execute, user });
    } else if (kind === 2) splitLeaves(table, va, page);
    else collapseLeaves(table, start, bytes);
  } catch (error) {
    if (!(error instanceof VmError)) throw error;
  }
}

/** log2 of the sizes of leaves and runs. Small ones are twice in the list. */
function sizes({ levels }: PageTableFormat): number[] {
  const all = levels.flatMap(({ leaf, shift, run }) => {
    if (leaf === null) return [];
    return run === null ? [shift] : [shift, shift + Math.log2(run.entries)];
  });
  // To split 16 GiB takes more tables than there are.
  return all.filter((shift) => shift <= 34).flatMap((shift) => (shift < 24 ? [shift, shift] : [shift]));
}

function placeFor(
  format: PageTableFormat,
  size: number,
  kept: ReadonlyMap<number, bigint>,
  random: Random,
): bigint {
  const { shift, bits } = format.levels[0] as Level;
  for (;;) {
    // Only a few slots of the root, so that ranges overlap.
    const slot = oneOf(random, [1, 2 ** bits - 1, 2 ** (bits - 1)]) % 2 ** bits;
    if (kept.has(slot)) continue;
    const low = (BigInt(slot) << BigInt(shift)) | below(random, 1n << BigInt(Math.min(shift, size + 3)));
    return inRange(format, (low >> BigInt(size)) << BigInt(size));
  }
}

function sayable(format: PageTableFormat, random: Random): Protection {
  for (;;) {
    const one = anyProtection(format, random);
    try {
      for (const [level, { leaf }] of format.levels.entries()) if (leaf !== null) format.encode(one, level);
      return one;
    } catch (error) {
      if (!(error instanceof VmError)) throw error;
    }
  }
}

/** An address in a range that was mapped, at its ends, or close to it. */
function addressIn(format: PageTableFormat, places: readonly [bigint, bigint][], random: Random): bigint {
  const page = 1n << BigInt(format.pageShift);
  if (places.length === 0) return inRange(format, below(random, 1n << BigInt(format.range.bits)));
  const [start, bytes] = oneOf(random, places);
  const draw = random.next(10);
  const offset =
    draw === 0
      ? -1n - below(random, page)
      : draw === 1
        ? bytes + below(random, page)
        : draw === 2
          ? below(random, page)
          : draw === 3
            ? bytes - 1n - below(random, page)
            : below(random, bytes);
  return strayed(format, BigInt.asUintN(64, start + offset), random);
}
