import {
  type AddressSpace,
  FrameAllocator,
  hex,
  joinWords,
  leafSizes,
  PhysicalMemory,
  type Protection,
  type VmArea,
  wasmLoops,
} from '@vmarea/core';
import { proveAllReturned } from '../all-returned.js';
import { CheckError } from '../errors.js';
import { random } from '../random.js';
import { rootFrames } from '../root-frames.js';
import { spread } from '../spread.js';
import { timed } from '../timed.js';
import { FramePools } from './frames.js';
import { kernelOf, reserveArea } from './kernel.js';
import type { Plan } from './plan.js';
import type { LayoutRow } from './result.js';
import { type Sample, type Stretch, samplePages } from './sample.js';

/** How to carry out a plan. */
export interface RebuildOptions {
  readonly seed: number;
  /** Measured rounds. */
  readonly repeat: number;
  /** Rounds before the measured ones. */
  readonly warmUp: number;
  /** Called between rounds. */
  readonly step: () => Promise<void>;
}

/** Translations of each timing loop, and how many of these addresses are walked step by step too. */
const SAMPLES = 32768;
const WALKS = 4096;

/** Pages to map before the first measured round: V8 compiles the code meanwhile. */
const WARM_UP_PAGES = 2 ** 19;

/** Rounds to warm up with: one for a large plan, many for a small one. */
export function warmUpRounds(plan: Plan): number {
  return Math.min(Math.max(Math.ceil(WARM_UP_PAGES / Math.max(plan.pages, 1)), 1), 100);
}

/** A part of an area that one call maps. */
type Piece =
  | { readonly type: 'device'; readonly start: bigint; readonly end: bigint; readonly physical: bigint }
  /** Frames in aligned chunks of `2 ** shift` bytes. */
  | {
      readonly type: 'chunks';
      readonly start: bigint;
      readonly end: bigint;
      readonly shift: number;
      readonly frames: Uint32Array;
    }
  /** Single frames, starting at a page of the area. */
  | { readonly type: 'pages'; readonly page: number; readonly frames: Uint32Array };

/** A mapped area. */
interface Job extends Stretch {
  /** Its index in the areas of the plan. */
  readonly index: number;
  readonly protection: Protection;
  readonly pieces: readonly Piece[];
}

/**
 * Maps a plan in a new kernel in each round. It measures, checks the translations, unmaps everything, and checks that
 * all frames came back.
 *
 * @throws CheckError when a translation is wrong or a frame leaked.
 */
export async function rebuild(plan: Plan, options: RebuildOptions): Promise<LayoutRow> {
  const { format, linux, name, title } = plan.configuration;
  const pageBytes = 2 ** format.pageShift;
  // A root may need an aligned block of several frames.
  const memory = PhysicalMemory.create({
    loops: wasmLoops,
    bytes: (plan.tableFrames + 2 * rootFrames(format)) * pageBytes,
  });
  const tables = new FrameAllocator(memory, { pageShift: format.pageShift });
  const before = tables.stats();
  const pools = new FramePools(plan, options.seed);
  const jobs = jobsOf(plan, pools);
  const sample = samplePages(jobs, SAMPLES, format.pageShift, random(options.seed));

  const nsPerPage: number[] = [];
  const nsPerWalk: number[] = [];
  let seen: Seen | null = null;
  for (let round = 1 - options.warmUp; round <= options.repeat; round++) {
    await options.step();
    const kernel = kernelOf(plan.configuration, plan.leafPolicy, memory, tables);
    const areas = reserveAll(kernel, plan);
    const mapping = timed(() => mapAll(kernel, areas, jobs));
    seen ??= inspect(kernel, plan, jobs, sample, tables.stats().allocated);
    const walking = timed(() => checkSample(kernel, sample));
    if (round > 0 && plan.pages > 0) {
      nsPerPage.push(mapping / plan.pages);
      nsPerWalk.push(walking / sample.frame.length);
    }
    takeDown(kernel, areas);
  }

  const { counters, leaves, tableFrames, entriesMean, entriesMax } = seen as Seen;
  const balance = proveAllReturned('frames of page tables', before, tables.stats());
  const bytes = plan.pages * pageBytes;
  const mapped = plan.areas.filter(({ mapping }) => mapping !== null).length;
  const unreachable = plan.unreachable.length;
  return {
    configuration: name,
    title,
    linux: linux.name,
    leafPolicy: plan.leafPolicy,
    pageBytes,
    areas: {
      placed: plan.areas.length,
      mapped,
      sparse: plan.areas.filter(({ request }) => request.kind === 'sparse').length,
      unknownContent: plan.areas.filter(({ request }) => request.unknownContent).length,
      unreachable,
      doesNotFit: plan.doesNotFit.length,
    },
    mapped: { bytes, pages: plan.pages },
    leaves,
    tables: {
      frames: tableFrames,
      bytes: tableFrames * pageBytes,
      bytesPerMappedMiB: bytes === 0 ? null : (tableFrames * pageBytes * 2 ** 20) / bytes,
    },
    work: counters,
    map: spread(nsPerPage),
    walk: { addresses: sample.frame.length, entriesMean, entriesMax, ns: spread(nsPerWalk) },
    checkedTranslations: 2 * mapped + sample.frame.length,
    leakCheck: {
      tables: { before: balance.before, peak: tableFrames, after: balance.after },
      frames: pools.release(),
    },
  };
}

function jobsOf(plan: Plan, pools: FramePools): Job[] {
  const { pageShift } = plan.configuration.format;
  return plan.areas.flatMap(({ area: { address }, mapping }, index) => {
    if (mapping === null) return [];
    const { source, pages, protection } = mapping;
    if (source.type === 'range') {
      const { physical, firstFrame } = source;
      const end = address + (BigInt(pages) << BigInt(pageShift));
      const pieces: Piece[] = [{ type: 'device', start: address, end, physical }];
      return [{ index, address, pages, protection, pieces, frameAt: (page: number) => firstFrame + page }];
    }
    const frames = pools.take(mapping);
    const pieces = piecesOf(address, source.chunks, source.order, frames, pageShift);
    return [{ index, address, pages, protection, pieces, frameAt: (page: number) => frames[page] as number }];
  });
}

/** One call maps whole chunks, another the single frames after them: a call has one size for all its frames. */
function piecesOf(
  start: bigint,
  chunks: number,
  order: number,
  frames: Uint32Array,
  pageShift: number,
): Piece[] {
  const whole = chunks * 2 ** order;
  const end = start + (BigInt(whole) << BigInt(pageShift));
  const pieces: Piece[] = [
    { type: 'chunks', start, end, shift: pageShift + order, frames: frames.subarray(0, whole) },
    { type: 'pages', page: whole, frames: frames.subarray(whole) },
  ];
  return pieces.filter((piece) => piece.type === 'device' || piece.frames.length > 0);
}

/** Reserves all areas again, at the addresses of the plan. */
function reserveAll(kernel: AddressSpace, { areas }: Plan): VmArea[] {
  return areas.map(({ request, extent, area }) => {
    const reserved = reserveArea(kernel, request, extent);
    if (reserved.addr !== area.address)
      throw new CheckError(`an area is at ${hex(reserved.addr)}, the plan has ${hex(area.address)}`);
    return reserved;
  });
}

function mapAll(kernel: AddressSpace, areas: readonly VmArea[], jobs: readonly Job[]): void {
  for (const { index, protection, pieces } of jobs) {
    for (const piece of pieces) {
      if (piece.type === 'device') kernel.vmapPageRange(piece.start, piece.end, piece.physical, protection);
      else if (piece.type === 'chunks')
        kernel.vmapPagesRange(piece.start, piece.end, protection, piece.frames, piece.shift);
      else (areas[index] as VmArea).map(piece.page, piece.frames, protection);
    }
  }
}

/** What the full tables of one round contain. */
interface Seen {
  readonly counters: LayoutRow['work'];
  readonly leaves: LayoutRow['leaves'];
  readonly tableFrames: number;
  readonly entriesMean: number | null;
  readonly entriesMax: number | null;
}

function inspect(
  kernel: AddressSpace,
  plan: Plan,
  jobs: readonly Job[],
  sample: Sample,
  tableFrames: number,
): Seen {
  const { tablesRead, entriesWritten, tablesAllocated } = kernel.counters;
  const { table } = kernel;
  checkEnds(table, plan, jobs);
  let entries = 0;
  let entriesMax = 0;
  const walks = Math.min(WALKS, sample.frame.length);
  for (let i = 0; i < walks; i++) {
    const va = joinWords(sample.lo[i] as number, sample.hi[i] as number);
    const { steps, leaf } = table.walk(va);
    if (leaf === null) throw wrong(plan, va, sample.frame[i] as number, 'a fault');
    entries += steps.length;
    entriesMax = Math.max(entriesMax, steps.length);
  }
  const leaves = leafSizes(table.format, table.leaves());
  const covered = leaves.reduce((sum, leaf) => sum + leaf.bytes * leaf.count, 0);
  const expected = plan.pages * 2 ** plan.configuration.format.pageShift;
  if (covered !== expected) {
    throw new CheckError(`${label(plan)}: the leaves cover ${covered} bytes, ${expected} were mapped`);
  }
  return {
    // The root belongs to the kernel, not to the mappings.
    counters: { tablesRead, entriesWritten, tablesAllocated: tablesAllocated - 1 },
    leaves,
    tableFrames,
    entriesMean: walks === 0 ? null : entries / walks,
    entriesMax: walks === 0 ? null : entriesMax,
  };
}

/** Checks that the first and last page of every area have their frames, and that the guard is not mapped. */
function checkEnds(table: AddressSpace['table'], plan: Plan, jobs: readonly Job[]): void {
  const pageShift = BigInt(plan.configuration.format.pageShift);
  for (const { address, pages, frameAt } of jobs) {
    for (const page of [0, pages - 1]) {
      const va = address + (BigInt(page) << pageShift);
      const got = table.translate(va);
      if (got !== BigInt(frameAt(page)) << pageShift) {
        throw wrong(plan, va, frameAt(page), got === null ? 'nothing' : `physical address ${hex(got)}`);
      }
    }
  }
  for (const { area } of plan.areas) {
    if (area.guardBytes === 0) continue;
    const guard = area.address + area.bytes;
    const got = table.translate(guard);
    if (got !== null) {
      throw new CheckError(`${label(plan)}: the guard page at ${hex(guard)} is mapped, to ${hex(got)}`);
    }
  }
}

/** Translates the sample and checks every result. This is also the loop that is timed. */
function checkSample({ table }: AddressSpace, { hi, lo, frame }: Sample): void {
  let wrongOnes = 0;
  for (let i = 0; i < frame.length; i++) {
    if (table.translateWords(hi[i] as number, lo[i] as number) !== frame[i]) wrongOnes++;
  }
  if (wrongOnes > 0) {
    throw new CheckError(
      `${table.format.name}: ${wrongOnes} of ${frame.length} sampled addresses translate to a wrong frame`,
    );
  }
}

function takeDown(kernel: AddressSpace, areas: readonly VmArea[]): void {
  for (const area of areas) kernel.freeVmArea(area);
  const left = kernel.table.leaves().next();
  if (left.done !== true) {
    throw new CheckError(
      `${kernel.table.format.name}: ${hex(left.value.va)} is still mapped after the teardown`,
    );
  }
  kernel.destroy();
}

function wrong(plan: Plan, va: bigint, frame: number, got: string): CheckError {
  return new CheckError(
    `${label(plan)}: ${hex(va)} was mapped to frame 0x${frame.toString(16)} and translates to ${got}`,
  );
}

function label(plan: Plan): string {
  return `${plan.configuration.name}, ${plan.leafPolicy} leaves`;
}
