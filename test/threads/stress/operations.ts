import {
  type AddressSpace,
  applyToExisting,
  collapseLeaves,
  type FrameAllocator,
  type PageTable,
  prepareTables,
  splitLeaves,
  translateMany,
  VM_SPARSE,
  type VmArea,
  VmError,
  type VmErrorCode,
} from '@vmarea/core';
import type { Random } from '../../../packages/core/test/threads/stress/station.js';
import type { Invitation, Shared } from './plan.js';

/** Frames that stand for pages which are not memory: an address of the first, and how many. */
const FIRST_PAGE = 0x200000;
/** Page frames of one thread. */
const LANE_PAGES = 0x100000;

/** What one thread has and knows. Another thread may have given it, or see it. */
export class Holdings {
  readonly kernel: AddressSpace;
  readonly frames: FrameAllocator;
  readonly table: PageTable;
  readonly random: Random;
  readonly lane: number;
  readonly lanes: number;
  readonly pageBytes: number;
  readonly pages: bigint;
  readonly sparse: VmArea;
  readonly contested: VmArea;
  readonly lazy: bigint;
  readonly lazyBytes: number;
  /** Blocks that it allocated. */
  readonly blocks: { readonly pfn: number; readonly order: number }[] = [];
  /** Addresses of vmalloc memory, with their bytes. */
  readonly vmallocs: { readonly address: bigint; readonly bytes: number }[] = [];
  /** Sparse areas of its own, with what each page maps. */
  readonly own: { readonly area: VmArea; readonly mapped: Map<number, number> }[] = [];
  /** Its pages of the shared area. */
  readonly lanePages: Map<number, number> = new Map();
  /** Pages of the contested area that it has. */
  readonly won: Map<number, number> = new Map();
  /** Ranges of `vmMapRam`. */
  readonly ram: { readonly address: bigint; readonly count: number }[] = [];
  readonly devices: bigint[] = [];
  /** Pages of its range of the table, with what they map. */
  readonly ranged: Map<number, number> = new Map();
  /** Blocks of its range of the table: by number of the block. */
  readonly blocked: Set<number> = new Set();
  readonly #owners: Int32Array;
  #nextPage: number;

  constructor(shared: Shared, { places, lane, owners }: Invitation, random: Random) {
    this.kernel = shared.kernel;
    this.frames = shared.frames;
    this.table = shared.table;
    this.random = random;
    this.lane = lane;
    this.lanes = places.lanes;
    this.pageBytes = 2 ** shared.table.format.pageShift;
    this.pages = BigInt(this.pageBytes);
    this.sparse = this.#areaAt(places.sparse);
    this.contested = this.#areaAt(places.contested);
    this.lazy = places.lazy;
    this.lazyBytes = Number(this.#areaAt(places.lazy).bytes);
    this.#owners = new Int32Array(owners);
    this.#nextPage = FIRST_PAGE + lane * LANE_PAGES;
  }

  /** A page frame that nobody allocates. */
  page(): number {
    return this.#nextPage++;
  }

  /** Notes that this thread has a block. Nobody else may have a frame of it. */
  claim(pfn: number, order: number): void {
    for (let i = 0; i < 2 ** order; i++) {
      const other = Atomics.compareExchange(this.#owners, pfn + i - this.frames.first, 0, this.lane + 1);
      if (other !== 0) throw new Error(`frame ${pfn + i} is lane ${this.lane}'s and lane ${other - 1}'s`);
    }
  }

  /** Notes that it is about to give a block back. */
  disown(pfn: number, order: number): void {
    for (let i = 0; i < 2 ** order; i++) Atomics.store(this.#owners, pfn + i - this.frames.first, 0);
  }

  #areaAt(address: bigint): VmArea {
    const area = this.kernel.findVmArea(address);
    if (area === null) throw new Error(`no area at ${address}`);
    return area;
  }
}

/** One kind of operation. It throws when something is wrong that no other thread may have caused. */
export interface Operation {
  readonly weight: number;
  /** Codes of errors that other threads may cause. */
  readonly refusals?: readonly VmErrorCode[];
  run(own: Holdings): void;
}

/** Gives a random element to a call. It is removed when the call has not thrown: a refused call changes nothing. */
function consume<T>(list: T[], random: Random, call: (one: T) => void): void {
  if (list.length === 0) return;
  const at = random.below(list.length);
  call(list[at] as T);
  const last = list.pop() as T;
  if (at < list.length) list[at] = last;
}

function pick<T>(list: readonly T[], random: Random): T {
  return list[random.below(list.length)] as T;
}

function someKey<T>(map: ReadonlyMap<number, T>, random: Random): number | undefined {
  if (map.size === 0) return undefined;
  let skip = random.below(Math.min(map.size, 16));
  for (const key of map.keys()) if (skip-- === 0) return key;
  return undefined;
}

function same(found: number, expected: number, what: string): void {
  if (found !== expected) throw new Error(`${what}: frame ${found}, expected ${expected}`);
}

/** Where a thread maps in the page table by itself. */
interface Lane {
  readonly table: PageTable;
  readonly lane: number;
  readonly lanes: number;
  readonly pageBytes: number;
}

/** First address of a thread's range of the page table. */
function rangeOf({ table, lane, pageBytes }: Lane): bigint {
  return startOf(table) + BigInt(lane) * BigInt(RANGE_PAGES * pageBytes);
}

/** Pages of a thread's range of the table: not a whole number of tables, so that neighbours share them. */
const RANGE_PAGES = 6144;
/** Pages of a thread's range that are mapped as blocks. Blocks begin behind all ranges. */
const BLOCKS = 4;

/** Where threads begin to map in the page table by itself: a quarter of its addresses. */
function startOf({ format: { range } }: PageTable): bigint {
  const { bits, upper } = range;
  return (upper === 'ones' ? (1n << 64n) - (1n << BigInt(bits)) : 0n) + (1n << BigInt(bits - 2));
}

function blockAt(own: Lane, block: number): { va: bigint; bytes: bigint } | null {
  const { table, lane, lanes, pageBytes } = own;
  const { levels, pageShift } = table.format;
  const level = levels.findLast(({ leaf, shift }) => leaf !== null && shift > pageShift);
  if (level === undefined) return null;
  const bytes = 1n << BigInt(level.shift);
  const behind = startOf(table) + BigInt(lanes * RANGE_PAGES * pageBytes);
  const first = (behind + bytes - 1n) & -bytes;
  return { va: first + BigInt(lane * BLOCKS + block) * bytes, bytes };
}

/** All operations, by name. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  allocate: {
    weight: 8,
    refusals: ['ENOMEM'],
    run(own) {
      const order = own.random.below(8) === 0 ? own.random.below(4) : 0;
      const pfn = own.frames.allocate(order);
      own.claim(pfn, order);
      own.blocks.push({ pfn, order });
    },
  },
  free: {
    weight: 8,
    run(own) {
      consume(own.blocks, own.random, ({ pfn, order }) => {
        // Before it is free: then it may be another thread's at once.
        own.disown(pfn, order);
        try {
          own.frames.free(pfn, order);
        } catch (error) {
          own.claim(pfn, order);
          throw error;
        }
      });
    },
  },
  reserve: {
    weight: 1,
    refusals: ['ENOMEM'],
    run(own) {
      if (own.own.length >= 6) return;
      const area = own.kernel.getVmArea((1 + own.random.below(64)) * own.pageBytes, VM_SPARSE, {
        caller: callerOf(own.lane),
      });
      own.own.push({ area, mapped: new Map() });
    },
  },
  release: {
    weight: 1,
    run(own) {
      consume(own.own, own.random, ({ area }) => own.kernel.freeVmArea(area));
    },
  },
  map: {
    weight: 12,
    refusals: ['ENOMEM'],
    run(own) {
      if (own.own.length === 0) return;
      const { area, mapped } = pick(own.own, own.random);
      const count = Math.min(area.pages, 1 + own.random.below(24));
      const first = own.random.below(area.pages - count + 1);
      const pfns = Array.from({ length: count }, () => own.page());
      const isFree = pfns.every((_, i) => !mapped.has(first + i));
      try {
        area.map(first, count === 1 ? (pfns[0] as number) : pfns);
        if (!isFree) throw new Error(`pages ${first} to ${first + count} were mapped over others`);
        for (const [i, pfn] of pfns.entries()) mapped.set(first + i, pfn);
      } catch (error) {
        if (isFree || !(error instanceof VmError) || error.code !== 'EBUSY') throw error;
      }
    },
  },
  unmap: {
    weight: 10,
    refusals: ['ENOMEM'],
    run(own) {
      if (own.own.length === 0) return;
      const { area, mapped } = pick(own.own, own.random);
      const count = Math.min(area.pages, 1 + own.random.below(12));
      const first = own.random.below(area.pages - count + 1);
      area.unmap(first, count);
      for (let i = 0; i < count; i++) mapped.delete(first + i);
    },
  },
  protect: {
    weight: 6,
    refusals: ['ENOMEM'],
    run(own) {
      if (own.own.length === 0) return;
      const { area, mapped } = pick(own.own, own.random);
      const count = Math.min(area.pages, 1 + own.random.below(12));
      const first = own.random.below(area.pages - count + 1);
      const write = own.random.below(2) === 0;
      area.protect(first, count, { write });
      const page = someKey(mapped, own.random);
      if (page === undefined || page < first || page >= first + count) return;
      const leaf = own.kernel.table.walk(area.addr + BigInt(page) * own.pages).leaf;
      if (leaf?.protection.write !== write)
        throw new Error(`page ${page}: write is ${leaf?.protection.write}`);
    },
  },
  prepare: {
    weight: 2,
    refusals: ['ENOMEM'],
    run(own) {
      if (own.own.length > 0) pick(own.own, own.random).area.prepare();
    },
  },
  look: {
    weight: 10,
    run(own) {
      if (own.own.length === 0) return;
      const { area, mapped } = pick(own.own, own.random);
      for (let i = 0; i < 4; i++) {
        const page = own.random.below(area.pages);
        same(area.frameAt(page), mapped.get(page) ?? -1, `page ${page}`);
      }
    },
  },
  walk: {
    weight: 6,
    run(own) {
      // Anybody's pages.
      const page = own.random.below(own.sparse.pages);
      const va = own.sparse.addr + BigInt(page) * own.pages;
      const { leaf, steps } = own.kernel.table.walk(va);
      if (leaf === null) return;
      const pfn = Number(leaf.pa >> BigInt(own.table.format.pageShift));
      if (pfn < FIRST_PAGE || steps.length === 0) throw new Error(`page ${page} maps frame ${pfn}`);
    },
  },
  translateMany: {
    weight: 2,
    run(own) {
      const pages = Array.from({ length: 64 }, () => own.random.below(own.sparse.pages));
      const frames = new Float64Array(pages.length);
      const addresses = BigUint64Array.from(pages, (page) => own.sparse.addr + BigInt(page) * own.pages);
      translateMany(own.kernel.table, addresses, frames);
      for (const [i, page] of pages.entries())
        if (page % own.lanes === own.lane)
          same(frames[i] as number, own.lanePages.get(page) ?? -1, `page ${page}`);
        else if (frames[i] !== -1 && (frames[i] as number) < FIRST_PAGE)
          throw new Error(`page ${page} maps frame ${frames[i]}`);
    },
  },
  leaves: {
    weight: 1,
    run(own) {
      if (own.own.length === 0) return;
      const { area, mapped } = pick(own.own, own.random);
      let count = 0;
      for (const run of own.kernel.table.leaves(area.addr, area.bytes, { complete: true }))
        count += run.count;
      same(count, mapped.size, 'leaves');
    },
  },
  populate: {
    weight: 12,
    refusals: ['ENOMEM'],
    run(own) {
      const page = own.random.below(Math.floor(own.sparse.pages / own.lanes)) * own.lanes + own.lane;
      const pfn = own.page();
      const isFree = !own.lanePages.has(page);
      const va = own.sparse.addr + BigInt(page) * own.pages;
      try {
        own.kernel.vmAreaMapPages(own.sparse, va, va + own.pages, [pfn]);
        if (!isFree) throw new Error(`page ${page} was mapped twice`);
        own.lanePages.set(page, pfn);
      } catch (error) {
        if (isFree || !(error instanceof VmError) || error.code !== 'EBUSY') throw error;
      }
    },
  },
  depopulate: {
    weight: 8,
    run(own) {
      const page = someKey(own.lanePages, own.random);
      if (page === undefined) return;
      same(own.sparse.frameAt(page), own.lanePages.get(page) as number, `page ${page} of the shared area`);
      const va = own.sparse.addr + BigInt(page) * own.pages;
      own.kernel.vmAreaUnmapPages(own.sparse, va, va + own.pages);
      own.lanePages.delete(page);
      same(own.sparse.frameAt(page), -1, `page ${page} of the shared area`);
    },
  },
  contest: {
    weight: 6,
    refusals: ['ENOMEM'],
    run(own) {
      const page = own.random.below(own.contested.pages);
      const pfn = own.page();
      try {
        own.contested.map(page, pfn);
        if (own.won.has(page)) throw new Error(`page ${page} was won twice`);
        own.won.set(page, pfn);
      } catch (error) {
        if (!(error instanceof VmError) || error.code !== 'EBUSY') throw error;
      }
      for (const [won, expected] of own.won)
        same(own.contested.frameAt(won), expected, `contested page ${won}`);
      if (own.won.size > 4) {
        const gone = someKey(own.won, own.random) as number;
        own.contested.unmap(gone);
        own.won.delete(gone);
      }
    },
  },
  vmalloc: {
    weight: 4,
    refusals: ['ENOMEM'],
    run(own) {
      if (own.vmallocs.length >= 12) return;
      const bytes = (1 + own.random.below(20)) * own.pageBytes;
      const address = own.kernel.vmalloc(bytes, { caller: callerOf(own.lane) });
      own.vmallocs.push({ address, bytes });
      own.kernel.vmallocToPfn(address + BigInt(bytes - own.pageBytes));
    },
  },
  vfree: {
    weight: 4,
    run(own) {
      consume(own.vmallocs, own.random, ({ address }) => own.kernel.vfree(address));
    },
  },
  setMemory: {
    weight: 1,
    refusals: ['ENOMEM'],
    run(own) {
      if (own.vmallocs.length === 0) return;
      const { address, bytes } = pick(own.vmallocs, own.random);
      if (own.random.below(2) === 0) own.kernel.setMemoryRo(address, bytes / own.pageBytes);
      else own.kernel.setMemoryRw(address, bytes / own.pageBytes);
    },
  },
  fault: {
    weight: 4,
    refusals: ['ENOMEM'],
    run(own) {
      const at = own.lazy + BigInt(own.random.below(own.lazyBytes / own.pageBytes)) * own.pages;
      own.kernel.handleFault(at);
      own.kernel.vmallocToPfn(at);
    },
  },
  mapRam: {
    weight: 2,
    refusals: ['ENOMEM'],
    run(own) {
      if (own.ram.length >= 8) return;
      const pfns = Array.from({ length: 1 + own.random.below(8) }, () => own.frames.tryAllocate(0));
      const taken = pfns.filter((pfn) => pfn >= 0);
      for (const pfn of taken) own.claim(pfn, 0);
      for (const pfn of taken) own.blocks.push({ pfn, order: 0 });
      if (taken.length < pfns.length) return;
      own.ram.push({ address: own.kernel.vmMapRam(pfns), count: pfns.length });
    },
  },
  unmapRam: {
    weight: 2,
    run(own) {
      consume(own.ram, own.random, ({ address, count }) => own.kernel.vmUnmapRam(address, count));
    },
  },
  ioremap: {
    weight: 1,
    refusals: ['ENOMEM'],
    run(own) {
      if (own.devices.length >= 4) return;
      const physical = 0xf_0000_0000n + BigInt(own.random.below(64)) * own.pages;
      own.devices.push(
        own.kernel.ioremap(physical, own.pageBytes * (1 + own.random.below(3)), {
          caller: callerOf(own.lane),
        }),
      );
    },
  },
  iounmap: {
    weight: 1,
    run(own) {
      consume(own.devices, own.random, (address) => own.kernel.iounmap(address));
    },
  },
  purge: {
    weight: 1,
    run(own) {
      own.kernel.vmUnmapAliases();
    },
  },
  vmallocinfo: {
    weight: 1,
    run(own) {
      if (own.random.below(8) !== 0) return;
      const text = own.kernel.vmallocinfo();
      for (const { address } of own.vmallocs)
        if (!text.includes(address.toString(16)))
          throw new Error(`vmallocinfo lacks ${address.toString(16)}`);
    },
  },
  mapTable: {
    weight: 4,
    refusals: ['ENOMEM'],
    run(own) {
      const page = own.random.below(RANGE_PAGES - 8);
      const pfns = Uint32Array.from({ length: 1 + own.random.below(8) }, () => own.page());
      const isFree = pfns.every((_, i) => !own.ranged.has(page + i));
      try {
        own.table.map(
          rangeOf(own) + BigInt(page) * own.pages,
          pfns,
          own.kernel.linux.protections.PAGE_KERNEL,
        );
        if (!isFree) throw new Error(`page ${page} of a range was mapped twice`);
        for (const [i, pfn] of pfns.entries()) own.ranged.set(page + i, pfn);
      } catch (error) {
        if (isFree || !(error instanceof VmError) || error.code !== 'EBUSY') throw error;
      }
    },
  },
  unmapTable: {
    weight: 4,
    run(own) {
      const page = someKey(own.ranged, own.random);
      if (page === undefined) return;
      const va = rangeOf(own) + BigInt(page) * own.pages;
      const pa = own.table.translate(va);
      same(Number((pa ?? -own.pages) / own.pages), own.ranged.get(page) as number, `page ${page} of a range`);
      own.table.unmap(va, own.pageBytes);
      own.ranged.delete(page);
    },
  },
  apply: {
    weight: 1,
    run(own) {
      let found = 0;
      applyToExisting(own.table, rangeOf(own), RANGE_PAGES * own.pageBytes, (slot) => {
        if (slot.pfn >= 0) found++;
      });
      same(found, own.ranged.size, 'leaves of a range');
    },
  },
  prepareTable: {
    weight: 1,
    refusals: ['ENOMEM'],
    run(own) {
      prepareTables(own.table, rangeOf(own), RANGE_PAGES * own.pageBytes);
    },
  },
  block: {
    weight: 2,
    refusals: ['ENOMEM'],
    run(own) {
      const block = own.random.below(BLOCKS);
      const at = blockAt(own, block);
      if (at === null || own.blocked.has(block)) return;
      own.table.mapRange(
        at.va,
        at.bytes * BigInt(own.lane * BLOCKS + block),
        at.bytes,
        own.kernel.linux.protections.PAGE_KERNEL,
      );
      own.blocked.add(block);
    },
  },
  split: {
    weight: 1,
    refusals: ['ENOMEM'],
    run(own) {
      const block = own.random.below(BLOCKS);
      const at = blockAt(own, block);
      if (at === null || !own.blocked.has(block)) return;
      splitLeaves(own.table, at.va, own.pageBytes);
      const pa = own.table.translate(at.va + at.bytes - 1n);
      if (pa !== at.bytes * BigInt(own.lane * BLOCKS + block + 1) - 1n)
        throw new Error(`block ${block} maps ${pa}`);
    },
  },
  collapse: {
    weight: 1,
    refusals: ['ENOMEM'],
    run(own) {
      const block = own.random.below(BLOCKS);
      const at = blockAt(own, block);
      if (at !== null && own.blocked.has(block)) collapseLeaves(own.table, at.va, at.bytes);
    },
  },
  unblock: {
    weight: 1,
    run(own) {
      const block = own.random.below(BLOCKS);
      const at = blockAt(own, block);
      if (at === null || !own.blocked.has(block)) return;
      own.table.unmap(at.va, at.bytes, { reclaim: own.random.below(2) === 0 });
      own.blocked.delete(block);
    },
  },
  reclaim: {
    weight: 1,
    run(own) {
      if (own.random.below(4) === 0) own.table.reclaim();
      else own.table.reclaim(rangeOf(own), RANGE_PAGES * own.pageBytes);
    },
  },
};

/** Who asks for the areas of a lane, as vmallocinfo shows it. */
export function callerOf(lane: number): string {
  return `lane_${lane}+0x0/0x1`;
}

/** Removes all that a thread has mapped in the page table by itself. */
export function clearLane(own: Lane): void {
  own.table.unmap(rangeOf(own), RANGE_PAGES * own.pageBytes);
  for (let block = 0; block < BLOCKS; block++) {
    const at = blockAt(own, block);
    if (at !== null) own.table.unmap(at.va, at.bytes);
  }
}

/** True for a page frame that a thread of a lane has used. */
export function isOfLane(pfn: number, lane: number): boolean {
  return Math.floor((pfn - FIRST_PAGE) / LANE_PAGES) === lane;
}

/** Gives back all that a thread has. */
export function tidy(own: Holdings): void {
  const all = <T>(list: T[], call: (one: T) => void): void => {
    while (list.length > 0) consume(list, own.random, call);
  };
  all(own.ram, ({ address, count }) => own.kernel.vmUnmapRam(address, count));
  all(own.devices, (address) => own.kernel.iounmap(address));
  all(own.vmallocs, ({ address }) => own.kernel.vfree(address));
  all(own.own, ({ area }) => own.kernel.freeVmArea(area));
  while (own.blocks.length > 0) OPERATIONS.free?.run(own);
  for (const page of own.lanePages.keys()) own.sparse.unmap(page);
  for (const page of own.won.keys()) own.contested.unmap(page);
  clearLane(own);
}
