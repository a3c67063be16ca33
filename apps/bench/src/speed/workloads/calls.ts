import { CheckError } from '@vmarea/cli';
import {
  AddressSpace,
  dumpTables,
  FrameAllocator,
  PageTable,
  PhysicalMemory,
  protection,
  wasmLoops,
} from '@vmarea/core';
import { Mmu } from '@vmarea/mmu';
import { timed } from '../../timed.js';
import type { Bed } from '../bed.js';
import { fold } from '../fold.js';
import { NO_WORK } from '../work.js';
import type { Round, Workload } from './workload.js';

/** Frames of the machine: for tables, and for pages. */
const TABLES = 512;
const PAGES = 1024;
/** Pages of the area whose leaves and lines are listed: runs of 4 KiB pages, none next to another. */
const LISTED = 4096;
/** Areas of the list that is printed. */
const PRINTED = 10_000;
const USED = protection({ write: true, accessed: true, dirty: true });

/** One call of a workload, by its number. What it returns is a part of the checksum. */
type Call = (i: number) => number;

/** A machine of its own, and a kernel on it. */
function kernelOf({ configuration: { format, linux }, memory: { banks } }: Bed): AddressSpace {
  const { pageShift } = format;
  const loops = banks[0]?.loops?.kind === 'wasm' ? { loops: wasmLoops } : {};
  const memory = PhysicalMemory.create({ bytes: (TABLES + PAGES) * 2 ** pageShift, ...loops });
  return new AddressSpace({
    ...{ format, linux, memory },
    frames: new FrameAllocator(memory, { pageShift, first: 0, frames: TABLES }),
    ram: new FrameAllocator(memory, { pageShift, first: TABLES, frames: PAGES }),
  });
}

/**
 * Rounds of calls.
 *
 * @param make - makes what the calls work on, and gives the call.
 * @param reset - puts everything back where a round begins.
 * @param each - units of one call: leaves, areas.
 */
function openCalls(
  make: (bed: Bed, kernel: AddressSpace) => { readonly call: Call; readonly reset?: () => void },
  each = 1,
) {
  return (bed: Bed): (() => Round) => {
    const kernel = bed.keep(kernelOf(bed));
    const { call, reset } = make(bed, kernel);
    const calls = bed.size.units / each;
    return () => {
      reset?.();
      let checksum = 0;
      const ns = timed(() => {
        for (let i = 0; i < calls; i++) checksum = fold(checksum, call(i));
      });
      return { ns, work: NO_WORK, checksum };
    };
  };
}

/** The lower bits of an address, for a checksum. */
const low = (address: bigint): number => Number(address & 0x7fff_ffffn);

/** Allocates and frees. Freed areas are purged before a round, so that each begins at the same address. */
const allocating = (pages: number) =>
  openCalls(({ pageShift }, kernel) => {
    const bytes = pages * 2 ** pageShift;
    return {
      reset: () => kernel.vmUnmapAliases(),
      call() {
        const address = kernel.vmalloc(bytes);
        kernel.vfree(address);
        return low(address);
      },
    };
  });

const ram = openCalls((_, kernel) => {
  const frames = Uint32Array.from({ length: 8 }, (_frame, i) => 7 + 3 * i);
  return {
    reset() {
      const address = kernel.vmMapRam(frames);
      if (kernel.vmallocToPfn(address) !== frames[0]) throw new CheckError('vmMapRam maps another frame');
      kernel.vmUnmapRam(address, frames.length);
      kernel.vmUnmapAliases();
    },
    // Not the address: the blocks that Linux cuts it out of stay from round to round.
    call(i) {
      kernel.vmUnmapRam(kernel.vmMapRam(frames), frames.length);
      return i;
    },
  };
});

const area = openCalls(({ pageShift }, kernel) => ({
  reset: () => kernel.vmUnmapAliases(),
  call() {
    const one = kernel.getVmArea(4 * 2 ** pageShift);
    const { addr } = one;
    kernel.freeVmArea(one);
    return low(addr);
  },
}));

const fault = openCalls(({ pageShift }, kernel) => {
  const lazy = kernel.getLazyArea(PAGES * 2 ** pageShift, { chunkShift: pageShift });
  const { addr } = lazy.area;
  const step = 2n ** BigInt(pageShift);
  const half = PAGES / 2;
  const addresses = Array.from({ length: half }, (_, i) => addr + BigInt((i * 331) % half) * step + 8n);
  return {
    reset: () => void lazy.shrink(0, half),
    call(i) {
      const at = i % half;
      if (at === 0 && i > 0) lazy.shrink(0, half);
      if (!kernel.handleFault(addresses[at] as bigint)) throw new CheckError('a fault was not handled');
      return at;
    },
  };
});

/** What an emulator does at a page that its guest touches first: the access faults, the page is mapped, the access succeeds. */
const guest = openCalls(({ configuration: { format }, start }) => {
  const { pageShift } = format;
  const memory = PhysicalMemory.create({ bytes: TABLES * 2 ** pageShift });
  const mmu = new Mmu({ memory, tables: null });
  const frames = new FrameAllocator(memory, { pageShift });
  const table = new PageTable({ format, memory, frames, sink: mmu.sink });
  mmu.switchTables({ format, root: table.root, controls: format.controls });
  return {
    call(i) {
      const at = start + (BigInt((i * 331) & 511) << BigInt(pageShift));
      const [hi, lo] = [Number(BigInt.asIntN(32, at >> 32n)), Number(BigInt.asIntN(32, at))];
      if (mmu.translate(hi, lo, 'write', false) >= 0) throw new CheckError('an access does not fault');
      table.mapWords(hi, lo, i & 1023, USED);
      const frame = mmu.translate(hi, lo, 'write', false);
      table.unmapWords(hi, lo);
      return frame;
    },
  };
});

/** A kernel with many leaves, for lists. */
function listed({ pageShift }: Bed, kernel: AddressSpace): void {
  const pages = LISTED * 2;
  const one = kernel.getVmArea(pages * 2 ** pageShift);
  for (let page = 0; page < pages; page += 2) one.map(page, page % PAGES);
}

const leaves = openCalls((bed, kernel) => {
  listed(bed, kernel);
  return {
    call() {
      let sum = 0;
      for (const { count } of kernel.table.leaves(undefined, undefined, { complete: true })) sum += count;
      return sum;
    },
  };
}, LISTED);

const dump = openCalls((bed, kernel) => {
  listed(bed, kernel);
  return { call: () => dumpTables(kernel.table, { lines: 2 * LISTED }).length };
}, LISTED);

const text = openCalls((bed, kernel) => {
  for (let i = 0; i < PRINTED; i++)
    kernel.getVmArea(2 ** bed.pageShift, 0, { caller: 'load_module+0x63e/0x1df0' });
  return { call: () => kernel.vmallocinfo().length };
}, PRINTED);

const CALLS = [
  ['W10.vmalloc-1', 'vmalloc and vfree of one page', allocating(1)],
  ['W10.vmalloc-4', 'vmalloc and vfree of 4 pages', allocating(4)],
  ['W10.vmalloc-256', 'vmalloc and vfree of 256 pages', allocating(256)],
  ['W10.map-ram', 'vmMapRam and vmUnmapRam of 8 pages', ram],
  ['W10.area', 'getVmArea and freeVmArea', area],
  ['W10.lazy-fault', 'handleFault of a lazy area: a frame is taken, zeroed and mapped', fault],
  [
    'W10.guest-fault',
    'an access that faults, mapWords, the access again by Mmu.translate, unmapWords',
    guest,
  ],
  ['W10.leaves', 'leaves of a kernel, for each leaf', leaves, LISTED],
  ['W10.dump', 'dumpTables, for each leaf', dump, LISTED],
  ['W10.vmallocinfo', 'vmallocinfo of 10,000 areas, for each area', text, PRINTED],
] as const;

/** Calls of a round for each page of the command line, in one of so many: 4,096 for 262,144. */
const FEWER = 64;

/** W10: calls of the vmap API, and lists. */
export const API_CALLS: readonly Workload[] = CALLS.map(([id, description, open, each = 1]) => ({
  ...{ id, family: 'W10', description, unit: 'operation' as const },
  ...{ isSameEverywhere: true, hasNoReference: true },
  size: ({ format }, pages) => ({
    units: each * Math.max(1, Math.floor(pages / FEWER / each)),
    ...{ rangePages: 512, frames: 0, leafShift: format.pageShift },
  }),
  open,
}));
