import { type PageTableReader, planOf } from '@vmarea/core';
import type { Image } from '../image.js';
import { firstLeaves } from './first-leaves.js';

/** Distances of a direct map are multiples of this: Linux aligns it to larger leaves. */
const ALIGNMENT = 1n << 21n;
/** Frames that are looked at: of all the dump, and around the root at this distance. */
const SAMPLES = 16;
const NEAR = 1n << 22n;

/**
 * The address at which the direct map below a root maps the root itself; `null` when there is none.
 *
 * All of memory is at one distance from its physical addresses there. The distance is that of some leaf; others of the dump must
 * be at the same one. So one large leaf that happens to cover the root is not taken for a direct map.
 */
export function directMapOf(table: PageTableReader, image: Image): bigint | null {
  const { root } = table;
  const seen = new Set<bigint>();
  let samples: readonly bigint[] | null = null;
  for (const { va, pa } of firstLeaves(planOf(table.format), image.memory, root)) {
    const distance = BigInt.asUintN(64, va - pa);
    const at = BigInt.asUintN(64, distance + root);
    if (seen.has(distance) || distance % ALIGNMENT !== 0n) continue;
    seen.add(distance);
    if (table.translate(at) !== root || !isInStep(table, at)) continue;
    samples ??= [...samplesOf(image), ...around(root)];
    let same = 0;
    let others = 0;
    for (const frame of samples) {
      const found = table.translate(BigInt.asUintN(64, distance + frame));
      if (found === frame) same++;
      else if (found !== null) others++;
    }
    if (same > others) return at;
  }
  return null;
}

/**
 * True when the kernel may read the root there, and the leaves before and behind that of the root map what is before
 * and behind it, or nothing.
 */
function isInStep(table: PageTableReader, at: bigint): boolean {
  const { leaf, fault } = table.walk(at, { kind: 'read', user: false });
  // The kernel reads it. Tables of another architecture lack a bit for that.
  if (leaf === null || fault !== null) return false;
  const size = 1n << BigInt(leaf.leafShift);
  return [-size, size].every((step) => {
    const found = table.translate(BigInt.asUintN(64, at + step));
    return found === null || found === table.root + step;
  });
}

/** Frames before and behind an address. */
function around(address: bigint): bigint[] {
  return [-3n, -2n, -1n, 1n, 2n, 3n].map((step) => address + step * NEAR).filter((frame) => frame >= 0n);
}

/** Frames of the dump's memory, evenly from its first byte to its last. */
function samplesOf(image: Image): bigint[] {
  const ranges = [...image.ranges()];
  const all = ranges.reduce((sum, { bytes }) => sum + bytes, 0n);
  const samples: bigint[] = [];
  let before = 0n;
  for (const { address, bytes } of ranges) {
    for (; samples.length < SAMPLES; ) {
      const inside = (all * BigInt(2 * samples.length + 1)) / BigInt(2 * SAMPLES) - before;
      if (inside >= bytes) break;
      samples.push(address + inside - ((address + inside) % 4096n));
    }
    before += bytes;
  }
  return samples;
}
