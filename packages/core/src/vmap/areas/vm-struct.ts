import type { Area, AreaInfo, AreaWord } from '../../area/area.js';
import { hex, VmError } from '../../errors.js';
import type { OwnedFrames } from '../../space/frame-owners.js';
import { wordsOf } from '../flags.js';

/** What an area that grows by need has done. */
export interface LazyAreaStats {
  /** Pages that it could have. */
  readonly pages: number;
  /** Pages that it has now. */
  readonly populated: number;
  /** Pages that `prepare` took for it, which wait for a use. */
  readonly prepared: number;
  /** The most that it ever had. */
  readonly peak: number;
  /** Uses that populated a chunk (`handleFault`, `touch`). */
  readonly faults: number;
  /** Chunks that were populated in all. */
  readonly populatedChunks: number;
  /** Chunks that were given back in all. */
  readonly releasedChunks: number;
}

/** How an area grows by need. */
export interface Growth {
  readonly stats: LazyAreaStats;
  /**
   * Populates the chunk of a page that is used.
   *
   * @returns false when it was there.
   */
  touch(page: number): boolean;
  /** @throws VmError `EINVAL` when somebody else freed a frame of it. */
  checkAllocated(): void;
  /**
   * Gives everything back: nothing of it is mapped any more.
   *
   * @returns what a caller's `release` threw.
   */
  releaseAll(): unknown[];
}

/** What a space keeps of one vm area: Linux's `struct vm_struct`. It is what `VmapAreas` knows of the area, so that vmallocinfo tells it. */
export class VmStruct implements AreaInfo {
  /** Its place. Set once, right after the reservation, which takes this object. */
  area!: Area;
  flags: number;
  readonly caller?: string;
  /** Bytes that were asked for, before any rounding (requested_size). */
  requestedBytes: bigint;
  /** Where it shows one physical range, in bytes. */
  physical: bigint | null = null;
  /** Frames that go with the area. */
  owned: OwnedFrames | null = null;
  /** Pages that it owns (nr_pages). */
  ownedPages = 0;
  /** The area that holds the array of its pages, where that is longer than a page. */
  array: VmStruct | null = null;
  /** It holds the array of another area's pages, and goes with that. */
  isArray = false;
  /** What populates it by need. */
  lazy: Growth | null = null;
  isLive = true;

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
  return `the area ${hex(area.address)} .. ${hex(area.address + area.bytes)}`;
}

/** @throws VmError `EINVAL` for the array of an area's pages: it goes with that area. */
export function requireNoArray(vm: VmStruct): void {
  if (vm.isArray)
    throw new VmError('EINVAL', `${nameOf(vm)} holds the array of another area's pages`, {
      address: vm.area.address,
      advice: 'it goes with that area',
    });
}

/** @throws VmError `EINVAL` for an area that grows by need, which maps and unmaps by itself, and for the array of an area's pages. */
export function requireOwnHands(vm: VmStruct): void {
  requireNoArray(vm);
  if (vm.lazy !== null)
    throw new VmError('EINVAL', `${nameOf(vm)} grows by itself`, {
      address: vm.area.address,
      advice: 'use populate and shrink of its LazyArea',
    });
}
