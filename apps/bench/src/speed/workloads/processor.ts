import { CheckError } from '@vmarea/cli';
import { random } from '@vmarea/compare';
import { type Configuration, FrameAllocator, PageTable, PhysicalMemory, protection } from '@vmarea/core';
import { Mmu } from '@vmarea/mmu';
import { timed } from '../../timed.js';
import type { Bed, Places } from '../bed.js';
import { FlatTable } from '../flat-table.js';
import { fold } from '../fold.js';
import { type Size, scatteredSize } from '../size.js';
import { NO_WORK, type Work, workOf } from '../work.js';
import { foldOf, mapped, requireFold, translateEach } from './translate.js';
import type { Round, Workload } from './workload.js';

/** Pages of 4 KiB that the loads go to: half the lines of a TLB of the default size. */
const PAGES = 512;
/** Frames of the small machine for tables. */
const TABLES = 64;
const USED = protection({ write: true, user: true, accessed: true, dirty: true });

/** A machine with data, and what is loaded from it. */
interface Loads {
  readonly mmu: Mmu;
  readonly words: Int32Array;
  readonly hi: Int32Array;
  readonly lo: Int32Array;
  readonly numbers: Float64Array;
  /** Physical address of each page. */
  readonly frames: readonly number[];
  readonly firstPage: number;
  /** Physical address of each load. */
  readonly physical: Int32Array;
}

/** Maps some pages to frames in no order, fills them, and draws the addresses of the loads. */
function loadsOf({ configuration: { format }, seed, size: { units }, start }: Bed): Loads {
  const { pageShift } = format;
  const pageBytes = 2 ** pageShift;
  const pages = (PAGES * 4096) / pageBytes;
  const memory = PhysicalMemory.create({ bytes: (TABLES + pages) * pageBytes });
  const table = new PageTable({
    ...{ format, memory },
    frames: new FrameAllocator(memory, { pageShift, first: 0, frames: TABLES }),
  });
  const va = isUpper(format) ? start : 0x1234_0000n;
  const order = Array.from({ length: pages }, (_, i) => TABLES + ((i * 7919) % pages));
  table.map(va, order, USED, { maxLeafShift: pageShift });
  const { words } = memory.banks[0] as { words: Int32Array };
  for (let i = (TABLES * pageBytes) / 4; i < words.length; i++) words[i] = Math.imul(i, 0x9e3779b1);
  const draw = random(seed);
  const [hi, lo, physical] = [new Int32Array(units), new Int32Array(units), new Int32Array(units)];
  const numbers = new Float64Array(units);
  const frames = Array.from(
    { length: PAGES },
    (_, i) => (order[(i * 4096) >> pageShift] as number) * pageBytes + ((i * 4096) & (pageBytes - 1)),
  );
  for (let i = 0; i < units; i++) {
    const page = draw.next(PAGES);
    const offset = 4 * draw.next(1024);
    const at = va + BigInt(page * 4096 + offset);
    hi[i] = Number(BigInt.asIntN(32, at >> 32n));
    lo[i] = Number(BigInt.asIntN(32, at));
    numbers[i] = Number(at);
    physical[i] = (frames[page] as number) + offset;
  }
  const mmu = new Mmu({ memory, tables: { format, root: table.root, controls: format.controls } });
  const firstPage = Number(BigInt.asUintN(32, va) >> 12n);
  return { mmu, words, hi, lo, numbers, frames, firstPage, physical };
}

function byWords({ mmu, hi, lo }: Loads): number {
  let sum = 0;
  for (let i = 0; i < hi.length; i++) {
    sum = fold(sum, mmu.loadSigned32(hi[i] as number, lo[i] as number, true));
  }
  return sum;
}

function byNumber({ mmu, numbers }: Loads): number {
  let sum = 0;
  for (let i = 0; i < numbers.length; i++) {
    const va = numbers[i] as number;
    sum = fold(sum, mmu.loadSigned32(va / 4294967296, va, true));
  }
  return sum;
}

/** By the flat table of a 32-bit guest. */
function byFlatTable(flat: FlatTable, { lo }: Loads): number {
  let sum = 0;
  for (let i = 0; i < lo.length; i++) sum = fold(sum, flat.load(lo[i] as number, true));
  return sum;
}

/** By a DataView alone, at the physical addresses. */
function byView(view: DataView, { physical }: Loads): number {
  let sum = 0;
  for (let i = 0; i < physical.length; i++) sum = fold(sum, view.getInt32(physical[i] as number, true));
  return sum;
}

function openLoads(run: (loads: Loads) => () => number) {
  return (bed: Bed): (() => Round) => {
    const loads = loadsOf(bed);
    const { words, physical } = loads;
    let expected = 0;
    for (const at of physical) expected = fold(expected, words[at >>> 2] as number);
    const load = run(loads);
    return () => {
      let checksum = 0;
      const ns = timed(() => {
        checksum = load();
      });
      requireFold(bed, checksum, expected);
      return { ns, work: NO_WORK, checksum };
    };
  };
}

/** Walks for every page that W1 maps, in random order: each access misses. */
function openRefill(bed: Bed): () => Round {
  const { format } = bed.configuration;
  const table = mapped(bed);
  const places = bed.places('random');
  const frames = bed.frames();
  const sub = 2 ** (format.pageShift - 12);
  const expected = foldOf(places.pages, (page) => (frames[page] as number) * sub);
  const tables = { format, root: table.root, controls: format.controls };
  const mmu = new Mmu({ memory: bed.memory, tables, entries: 16 });
  return () => {
    mmu.sink.flush(0n, 1n << 63n, format.pageShift, [], 0);
    const before = mmu.counters;
    let checksum = 0;
    const ns = timed(() => {
      checksum = translateByMmu(mmu, places);
    });
    requireFold(bed, checksum, expected);
    const { walks, entriesRead, entriesWritten } = mmu.counters;
    if (walks - before.walks !== places.pages.length) throw new CheckError('an access did not miss');
    const work: Work = {
      ...NO_WORK,
      tablesRead: entriesRead - before.entriesRead,
      entriesRead: entriesRead - before.entriesRead,
      entriesWritten: entriesWritten - before.entriesWritten,
    };
    return { ns, work, checksum };
  };
}

function translateByMmu(mmu: Mmu, { hi, lo }: Places): number {
  let sum = 0;
  for (let i = 0; i < hi.length; i++) {
    sum = fold(sum, mmu.translate(hi[i] as number, lo[i] as number, 'read', false));
  }
  return sum;
}

/** The same addresses by `translateWords`, which checks nothing. */
function openWalk(bed: Bed): () => Round {
  const table = mapped(bed);
  const places = bed.places('random');
  const frames = bed.frames();
  const sub = 2 ** (bed.pageShift - 12);
  const expected = foldOf(places.pages, (page) => frames[page] as number);
  return () => {
    table.resetCounters();
    let checksum = 0;
    const ns = timed(() => {
      checksum = translateEach(table, places);
    });
    requireFold(bed, checksum, expected);
    // The sum of the same frames as in W9.refill, which counts them in 4 KiB.
    return {
      ns,
      work: workOf(table),
      checksum: sub === 1 ? checksum : foldOf(places.pages, (page) => (frames[page] as number) * sub),
    };
  };
}

/** Switches between four roots, each with an ASID. */
function openSwitch(bed: Bed): () => Round {
  const { format } = bed.configuration;
  const tables: readonly PageTable[] = Array.from({ length: 4 }, () => bed.keptTable());
  const roots = tables.map(({ root }) => root);
  const mmu = new Mmu({
    memory: bed.memory,
    tables: { format, root: roots[0] as bigint, controls: format.controls },
  });
  return () => {
    const ns = timed(() => switchEach(mmu, roots, bed.size.units));
    return { ns, work: NO_WORK, checksum: mmu.asid };
  };
}

function switchEach(mmu: Mmu, roots: readonly bigint[], count: number): void {
  for (let i = 0; i < count; i++) mmu.switchRoot(roots[i & 3] as bigint, i & 3);
}

function isUpper({ range }: Configuration['format']): boolean {
  return range.upper === 'ones';
}

/** The loads need few pages, in any format. */
function smallSize({ format }: Configuration, units: number): Size {
  return { units, rangePages: PAGES, frames: 0, leafShift: format.pageShift };
}

const LOADS: readonly Workload[] = (
  [
    ['W9.hit', 'Mmu, the address as two words', openLoads((loads) => () => byWords(loads))],
    ['W9.hit-number', 'Mmu, the address as a number', openLoads((loads) => () => byNumber(loads))],
    [
      'W9.flat',
      'a flat table of 2^20 words, as of v86',
      openLoads((loads) => {
        const { frames, firstPage } = loads;
        const flat = new FlatTable(loads.words, (page) => frames[page - firstPage] as number);
        return () => byFlatTable(flat, loads);
      }),
    ],
    [
      'W9.view',
      'a DataView at physical addresses',
      openLoads((loads) => {
        const { buffer, byteOffset, byteLength } = loads.words;
        const view = new DataView(buffer, byteOffset, byteLength);
        return () => byView(view, loads);
      }),
    ],
  ] as const
).map(([id, how, open]) => ({
  id,
  family: 'W9',
  description: `load 32 bits from one of ${PAGES} pages: ${how}`,
  unit: 'operation' as const,
  hasNoReference: true,
  size: (configuration: Configuration, pages: number) =>
    id === 'W9.hit-number' && isUpper(configuration.format)
      ? { reason: 'its addresses are above 2^53' }
      : smallSize(configuration, pages),
  open,
}));

/** W9: what a simulated processor does. */
export const PROCESSOR: readonly Workload[] = [
  ...LOADS,
  {
    ...{ id: 'W9.refill', family: 'W9', unit: 'translation', hasNoReference: true },
    description: 'miss and refill: Mmu.translate of every page that W1 maps, in random order',
    size: (configuration, pages) => scatteredSize(configuration, pages),
    open: openRefill,
  },
  {
    ...{ id: 'W9.walk', family: 'W9', unit: 'translation', hasNoReference: true },
    description: 'translateWords of the same pages',
    size: (configuration, pages) => scatteredSize(configuration, pages),
    open: openWalk,
  },
  {
    ...{ id: 'W9.switch', family: 'W9', unit: 'operation', hasNoReference: true },
    description: 'switchRoot between four roots with ASIDs',
    size: smallSize,
    open: openSwitch,
  },
];
