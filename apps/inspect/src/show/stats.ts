import { type LeafItem, type LeafRun, listLeaves } from '@vmarea/core';
import type { Image } from '@vmarea/image';
import type { ChosenRoot } from '../roots/choose.js';
import { tableFrames } from '../tables/tables.js';
import { FrameCounts } from './frame-counts.js';

/** Numbers about all that a root maps. */
export interface TableStats {
  /** Runs of leaves, as `listLeaves` has them. */
  readonly runs: number;
  readonly leaves: number;
  /** Bytes of addresses that are mapped. */
  readonly mappedBytes: bigint;
  /** Leaves by size, smallest first. Those of contiguous or NAPOT runs are counted by themselves, too. */
  readonly sizes: readonly SizeCount[];
  /** Bytes of addresses by owner and rights. */
  readonly rights: readonly RightsCount[];
  /** Tables of each level, root first. */
  readonly tables: readonly { readonly level: string; readonly tables: number; readonly missing: number }[];
  /** Bytes of all frames that hold tables. */
  readonly tableBytes: bigint;
  /** Tables that the list only named, since they were met again too often. What they map is in no count. */
  readonly again: number;
  /** Frames of the dump, in base pages. */
  readonly frames: {
    readonly mapped: number;
    /** By more than one leaf. */
    readonly several: number;
    /** Writable by one leaf, and executable by that or another one. */
    readonly writableAndExecutable: number;
    /** False when they are more than are counted, and so some are left out. */
    readonly isComplete: boolean;
  };
}

/** Leaves of one size. */
export interface SizeCount {
  readonly level: string;
  readonly leafBytes: bigint;
  readonly leaves: number;
  /** Those of them that are in a contiguous or NAPOT run. */
  readonly inRuns: number;
}

/** Addresses with the same rights. */
export interface RightsCount {
  readonly read: boolean;
  readonly write: boolean;
  readonly execute: boolean;
  readonly user: boolean;
  readonly bytes: bigint;
  readonly runs: number;
}

/**
 * Counts what a root maps. It goes through all leaves once and keeps a byte for each frame of the dump that is mapped, up to
 * 128 MiB.
 */
export function tableStats(
  { table, format }: Pick<ChosenRoot, 'table' | 'format'>,
  image: Image,
): TableStats {
  const frames = new FrameCounts(image.ranges(), format.pageShift);
  const sizes = new Map<number, { leaves: number; inRuns: number }>();
  const rights = new Map<LeafRun['rights'], { bytes: bigint; runs: number }>();
  let runs = 0;
  let leaves = 0;
  let mappedBytes = 0n;
  let again = 0;
  const add = (item: LeafItem): void => {
    if (item.kind !== 'leaves') {
      if (item.kind === 'again') again++;
      return;
    }
    runs++;
    leaves += item.count;
    mappedBytes += item.bytes;
    const size = entryOf(sizes, item.level, () => ({ leaves: 0, inRuns: 0 }));
    size.leaves += item.count;
    if (item.runShift !== null) size.inRuns += item.count;
    const one = entryOf(rights, item.rights, () => ({ bytes: 0n, runs: 0 }));
    one.bytes += item.bytes;
    one.runs++;
    frames.add(item.pa, item.bytes, item.rights);
  };
  for (const item of listLeaves(table, { again: 'list' })) add(item);
  const tables = tableFrames(table, image.memory);
  const nameOf = (level: number): string => format.levels[level]?.name ?? String(level);
  return {
    ...{ runs, leaves, mappedBytes, again },
    sizes: [...sizes]
      .sort(([a], [b]) => b - a)
      .map(([level, size]) => ({
        level: nameOf(level),
        leafBytes: 1n << BigInt(format.levels[level]?.shift ?? 0),
        ...size,
      })),
    rights: [...rights]
      .map(([allowed, size]) => ({ ...allowed, ...size }))
      .sort((a, b) => order(a) - order(b)),
    tables: tables.perLevel.map((count, level) => ({
      level: nameOf(level),
      tables: count,
      missing: tables.missing[level] ?? 0,
    })),
    tableBytes: BigInt(tables.frames.length) << BigInt(format.pageShift),
    frames: { ...frames.totals(), isComplete: frames.isComplete },
  };
}

function order({ user, read, write, execute }: RightsCount): number {
  return (user ? 8 : 0) + (read ? 1 : 0) + (write ? 2 : 0) + (execute ? 4 : 0);
}

function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
