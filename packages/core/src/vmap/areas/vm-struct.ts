import type { Area, AreaInfo, AreaWord } from '../../area/area.js';
import { hex, VmError, wideHex } from '../../errors.js';
import type { OwnedFrames } from '../../space/frame-owners.js';
import { wordsOf } from '../flags.js';

/** What a lazy area has done. */
export interface LazyAreaStats {
  /** Pages that it can have. */
  readonly pages: number;
  /** Pages that it has now. */
  readonly populated: number;
  /** Pages that `prepare` took for it and that are not used yet. */
  readonly prepared: number;
  /** The most pages that it ever had. */
  readonly peak: number;
  /** Uses that populated a chunk (`handleFault`, `touch`). */
  readonly faults: number;
  /** Chunks that were populated, in total. */
  readonly populatedChunks: number;
  /** Chunks that were given back, in total. */
  readonly releasedChunks: number;
}

/** How a lazy area gets pages. */
interface Growth {
  readonly stats: LazyAreaStats;
  /**
   * Populates the chunk of a page that is used.
   *
   * @returns false when the page was already there.
   */
  touch(page: number): boolean;
  /** @throws VmError `EINVAL` when somebody else freed a frame of it. */
  checkAllocated(): void;
  /**
   * Gives all frames back. The caller has unmapped them.
   *
   * @returns what a caller's `release` threw.
   */
  releaseAll(): unknown[];
}

/** What a lazy area asks of its chunks. */
export interface LazyGrowth extends Growth {
  /** Populates the missing chunks of a range: all or none. */
  populate(page: number, count: number): void;
  /** Makes the tables of a range, and takes frames for it. Returns the number of tables made. */
  prepare(page: number, count: number): number;
  /** Gives chunks back that lie wholly in a range. Returns the number of pages. */
  shrink(page: number, count: number): number;
}

/**
 * What a space keeps of one vm area: Linux's `struct vm_struct`. `VmapAreas` keeps it as the area's info,
 * and vmallocinfo prints it.
 */
export class VmStruct implements AreaInfo {
  /** Its place. Set once, right after the reservation, which receives this object. */
  area!: Area;
  flags: number;
  readonly caller?: string;
  /** Bytes that were asked for, before any rounding (requested_size). */
  requestedBytes: bigint;
  /** Physical address in bytes of the one range that it maps; `null` for other areas. */
  physical: bigint | null = null;
  /** Frames that are freed with the area. */
  owned: OwnedFrames | null = null;
  /** Pages that it owns (nr_pages). */
  ownedPages = 0;
  /** The area that holds the array of its pages, when that is longer than a page. */
  array: VmStruct | null = null;
  /** True for an area that holds the array of another area's pages. It is freed with that one. */
  isArray = false;
  /** What populates a lazy area. */
  lazy: LazyGrowth | null = null;
  isLive = true;
  /**
   * Its handle, once somebody asked for it. It is here, and not in a WeakMap, since the collector takes
   * longer for an entry of one than a reservation takes.
   */
  handle: object | null = null;

  constructor(flags: number, requestedBytes: bigint, caller: string | undefined) {
    this.flags = flags;
    this.requestedBytes = requestedBytes;
    if (caller !== undefined) this.caller = caller;
  }

  get pages(): number {
    return this.lazy?.stats.populated ?? this.ownedPages;
  }

  get phys(): bigint {
    return this.physical ?? 0n;
  }

  get words(): readonly AreaWord[] {
    return wordsOf(this.flags);
  }

  get vpages(): boolean {
    return this.array !== null;
  }

  get nodes(): readonly { node: number; pages: number }[] {
    const { pages } = this;
    return pages > 0 ? [{ node: 0, pages }] : [];
  }
}

/** First address and end of an area's usable bytes, for messages. */
export function nameOf({ area }: VmStruct): string {
  return `the area ${hex(area.address)} .. ${wideHex(area.address + area.bytes)}`;
}

/** @throws VmError `EINVAL` for the array of an area's pages: it is freed with that area. */
export function requireNoArray(vm: VmStruct): void {
  if (vm.isArray)
    throw new VmError('EINVAL', `${nameOf(vm)} holds the array of another area's pages`, {
      address: vm.area.address,
      advice: 'vmarea frees it with that area',
    });
}

/**
 * @throws VmError `EINVAL` for a lazy area, which maps and unmaps by itself, and for the array of an area's
 *   pages.
 */
export function requireOwnHands(vm: VmStruct): void {
  requireNoArray(vm);
  if (vm.lazy !== null)
    throw new VmError('EINVAL', `${nameOf(vm)} grows on demand`, {
      address: vm.area.address,
      advice: 'use populate and shrink of its LazyArea',
    });
}
