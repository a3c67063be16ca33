import { VmError } from '@vmarea/core';
import type { BpfObject, DataSection } from '../object/bpf-object.js';
import { DATA_REGION } from './addresses.js';
import type { ArenaGlobals, LinkedRegion } from './linked-program.js';
import type { CheckedOptions } from './options.js';

/** Where a section of variables is. */
export interface DataPlace {
  /** Its region; -1 in the arena. */
  readonly region: number;
  /** Its first byte in the data, or from the start of the arena. */
  readonly at: number;
}

/** Where everything is. */
export interface Layout {
  /** The first instruction of each code section, counted over all sections. */
  readonly codeStarts: readonly number[];
  /** Instructions in all. */
  readonly codeCount: number;
  /** By data section of the object. */
  readonly places: readonly DataPlace[];
  readonly regions: readonly LinkedRegion[];
  readonly data: ArrayBuffer | SharedArrayBuffer;
  readonly arenaGlobals: ArenaGlobals | null;
  /** Where the arena begins for user space; 0 without one. */
  readonly userVmStart: bigint;
  /** Its length in bytes. */
  readonly arenaBytes: number;
}

/** Regions have numbers below this: far fewer than upper words that are kept for them. */
const MOST_REGIONS = 1024;

/**
 * @throws VmError `E2BIG` when variables are larger than the arena, or there are more than 1,024 sections of them; `EINVAL` where there
 *   is no SharedArrayBuffer for `shared`.
 */
export function layoutOf(object: BpfObject, options: CheckedOptions): Layout {
  const codeStarts: number[] = [];
  let codeCount = 0;
  for (const { bytes } of object.code) {
    codeStarts.push(codeCount);
    codeCount += bytes.length / 8;
  }
  const regions: LinkedRegion[] = [];
  const places: DataPlace[] = [];
  let bytes = 0;
  for (const { name, size, isArena, isWritable } of object.data) {
    if (isArena) {
      places.push({ region: -1, at: arenaOffset(size, options) });
      continue;
    }
    places.push({ region: DATA_REGION + regions.length, at: bytes });
    regions.push({ name, at: bytes, bytes: size, isWritable });
    bytes += Math.ceil(size / 8) * 8;
  }
  if (regions.length > MOST_REGIONS)
    throw new VmError('E2BIG', `there are ${regions.length} sections of variables`);
  const data = options.shared ? sharedBuffer(bytes) : new ArrayBuffer(bytes);
  const all = new Uint8Array(data);
  object.data.forEach((section, i) => {
    const { region, at } = places[i] as DataPlace;
    if (region >= 0) all.set(section.bytes, at);
  });
  return {
    ...{ codeStarts, codeCount, places, regions, data },
    arenaGlobals: globalsOf(object.data, places),
    userVmStart: options.arena?.userVmStart ?? 0n,
    arenaBytes: (options.arena?.pages ?? 0) * (options.arena?.pageSize ?? 0),
  };
}

/** libbpf's rule (1.7: src/libbpf.c): the last whole pages that hold the variables; before it: the first ones. */
function arenaOffset(size: number, { arena, arenaGlobals }: CheckedOptions): number {
  if (arena === null) throw new Error('the arena of variables was not checked');
  const bytes = arena.pages * arena.pageSize;
  if (size > bytes)
    throw new VmError('E2BIG', `variables of ${size} bytes are larger than the arena of ${bytes}`);
  return arenaGlobals === 'start' ? 0 : bytes - Math.ceil(size / arena.pageSize) * arena.pageSize;
}

function globalsOf(sections: readonly DataSection[], places: readonly DataPlace[]): ArenaGlobals | null {
  const arenas = sections.flatMap((section, i) =>
    section.isArena ? [{ section, place: places[i] as DataPlace }] : [],
  );
  const [first, second] = arenas;
  if (second !== undefined) throw new VmError('EINVAL', `there are two sections ${second.section.name}`);
  return first === undefined ? null : { offset: first.place.at, bytes: first.section.bytes.slice() };
}

function sharedBuffer(bytes: number): SharedArrayBuffer {
  if (typeof SharedArrayBuffer !== 'undefined') return new SharedArrayBuffer(bytes);
  throw new VmError('EINVAL', 'this host has no SharedArrayBuffer', {
    advice: 'link without the option shared, or isolate the page',
  });
}
