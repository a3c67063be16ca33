import {
  type AddressSpace,
  FrameAllocator,
  hex,
  joinWords,
  PhysicalMemory,
  type VmArea,
  wasmLoops,
} from '@vmarea/core';
import { proveAllReturned } from '../parts/all-returned.js';
import { random } from '../parts/random.js';
import { rootFrames } from '../parts/root-frames.js';
import { WrongResult } from '../parts/wrong-result.js';
import { FramePools } from './frames.js';
import { kernelOf, reserveArea } from './kernel.js';
import { leavesOf } from './leaves.js';
import { mapPiece, type Piece, PORTION_PAGES, type Portion, piecesOf, portionsOf } from './pieces.js';
import { callersOf, placesOf } from './places.js';
import { framesOf, type Plan } from './plan.js';
import type { LayoutRow } from './result.js';
import { type Sample, type Stretch, samplePages } from './sample.js';
import { TableShares } from './table-shares.js';

/** How to carry out a plan. */
export interface RebuildOptions {
  /** Of the frames and of the sampled addresses: the same seed gives the same ones. */
  readonly seed: number;
  /** Measured rounds, 1 or more. */
  readonly repeat: number;
  /** Rounds before the measured ones. */
  readonly warmUp: number;
  /** A clock in milliseconds, such as `() => performance.now()`. Default: nothing is timed. */
  readonly now?: (() => number) | undefined;
  /** Called before each portion of the work, with its number of pages. */
  readonly step: (pages: number) => Promise<void>;
}

/** Translations of each timing loop, and how many of these addresses are walked step by step too. */
const SAMPLES = 32768;
const WALKS = 4096;

/** Pages to map before the first measured round: V8 compiles the code meanwhile. */
const WARM_UP_PAGES = 2 ** 19;

/** To list a page takes about as long as to map it in eight rounds and to choose its frame twice. */
const LISTING = 8;

/** The sum of what `rebuild` tells `step`: the frames that it chooses and lists, and the pages of all rounds. */
export function lengthOf(plan: Plan, rounds: number): number {
  return framesOf(plan) * (1 + LISTING) + plan.pages * rounds;
}

/** Rounds to warm up with: one for a large plan, many for a small one. */
export function warmUpRounds(plan: Plan): number {
  return Math.min(Math.max(Math.ceil(WARM_UP_PAGES / Math.max(plan.pages, 1)), 1), 100);
}

/** A mapped area. */
interface Job extends Stretch {
  readonly portions: readonly Portion[];
}

/**
 * Maps a plan in a new kernel in each round. It measures, checks the translations, unmaps everything, and checks that
 * all frames came back.
 *
 * @throws WrongResult when a translation is wrong or a frame leaked.
 */
export async function rebuildLayout(plan: Plan, options: RebuildOptions): Promise<LayoutRow> {
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
  const jobs = await jobsOf(plan, pools, options.step);
  const sample = samplePages(jobs, SAMPLES, format.pageShift, random(options.seed));

  const { now } = options;
  const nsPerPage: number[] = [];
  const nsPerWalk: number[] = [];
  let seen: Seen | null = null;
  for (let round = 1 - options.warmUp; round <= options.repeat; round++) {
    await options.step(0);
    const kernel = kernelOf(plan.configuration, plan.leafPolicy, memory, tables);
    const areas = reserveAll(kernel, plan);
    const mapping = await mapAll(kernel, areas, jobs, options);
    await options.step(0);
    seen ??= await inspect(kernel, plan, jobs, sample, tables.stats().allocated, options.step);
    const walking = timed(now, () => checkSample(kernel, sample));
    if (round > 0 && plan.pages > 0 && now !== undefined) {
      nsPerPage.push(mapping / plan.pages);
      nsPerWalk.push(walking / sample.frame.length);
    }
    takeDown(kernel, areas);
  }

  const { counters, leaves, tableFrames, entriesMean, entriesMax, shares } = seen as Seen;
  const places = placesOf(plan, shares);
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
    window: linux.window,
    mapped: { bytes, pages: plan.pages },
    rounding: { bytes: places.reduce((sum, { roundingBytes }) => sum + roundingBytes, 0) },
    leaves,
    tables: {
      frames: tableFrames,
      bytes: tableFrames * pageBytes,
      bytesPerMappedMiB: bytes === 0 ? null : (tableFrames * pageBytes * 2 ** 20) / bytes,
    },
    work: counters,
    walk: { addresses: sample.frame.length, entriesMean, entriesMax },
    times: { nsPerPage, nsPerWalk },
    checkedTranslations: 2 * mapped + sample.frame.length,
    leakCheck: {
      tables: { before: balance.before, peak: tableFrames, after: balance.after },
      frames: pools.release(),
    },
    places,
    callers: callersOf(places),
  };
}

async function jobsOf(plan: Plan, pools: FramePools, step: RebuildOptions['step']): Promise<Job[]> {
  const { pageShift } = plan.configuration.format;
  const jobs: Job[] = [];
  for (const [index, { area, mapping }] of plan.areas.entries()) {
    if (mapping === null) continue;
    const { address } = area;
    const { source, pages, protection } = mapping;
    const job = (pieces: readonly Piece[], frameAt: Stretch['frameAt']): Job => ({
      ...{ address, pages, frameAt },
      portions: pieces.flatMap((piece) => portionsOf(piece, index, protection, pageShift)),
    });
    if (source.type === 'range') {
      const { physical, firstFrame } = source;
      const end = address + (BigInt(pages) << BigInt(pageShift));
      jobs.push(job([{ type: 'device', start: address, end, physical }], (page) => firstFrame + page));
    } else {
      const frames = await pools.take(mapping, step);
      const pieces = piecesOf(address, source.chunks, source.order, frames, pageShift);
      jobs.push(job(pieces, (page) => frames[page] as number));
    }
  }
  return jobs;
}

/** Reserves all areas again, at the addresses of the plan. */
function reserveAll(kernel: AddressSpace, { areas }: Plan): VmArea[] {
  return areas.map(({ request, extent, area }) => {
    const reserved = reserveArea(kernel, request, extent);
    if (reserved.addr !== area.address)
      throw new WrongResult(`an area is at ${hex(reserved.addr)}, the plan has ${hex(area.address)}`);
    return reserved;
  });
}

/** Maps everything, portion by portion. Returns the nanoseconds, without those of the reports. */
async function mapAll(
  kernel: AddressSpace,
  areas: readonly VmArea[],
  jobs: readonly Job[],
  { now, step }: Pick<RebuildOptions, 'now' | 'step'>,
): Promise<number> {
  let ns = 0;
  for (const portions of batches(jobs.flatMap((job) => job.portions))) {
    await step(portions.reduce((sum, { pages }) => sum + pages, 0));
    ns += timed(now, () => {
      for (const { index, piece, protection } of portions)
        mapPiece(kernel, areas[index] as VmArea, piece, protection);
    });
  }
  return ns;
}

/** Groups portions, so that small ones are reported and timed together. */
function batches(portions: readonly Portion[]): Portion[][] {
  const result: Portion[][] = [];
  let pages = Number.POSITIVE_INFINITY;
  for (const portion of portions) {
    if (pages + portion.pages > PORTION_PAGES) {
      result.push([]);
      pages = 0;
    }
    result.at(-1)?.push(portion);
    pages += portion.pages;
  }
  return result;
}

/** What the full tables of one round contain. */
interface Seen {
  readonly counters: LayoutRow['work'];
  readonly leaves: LayoutRow['leaves'];
  readonly tableFrames: number;
  readonly entriesMean: number | null;
  readonly entriesMax: number | null;
  /** Bytes of tables of each area. */
  readonly shares: Float64Array;
}

async function inspect(
  kernel: AddressSpace,
  plan: Plan,
  jobs: readonly Job[],
  sample: Sample,
  tableFrames: number,
  step: RebuildOptions['step'],
): Promise<Seen> {
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
  const expected = plan.pages * 2 ** plan.configuration.format.pageShift;
  const listing = framesOf(plan) * LISTING;
  let listed = 0;
  let told = 0;
  const shares = new TableShares(plan);
  const tell = async (bytes: number) => {
    listed += bytes;
    const far = Math.min(listing, Math.round((listed / Math.max(expected, 1)) * listing));
    await step(far - told);
    told = far;
  };
  const leaves = await leavesOf(table, tell, (run) => shares.add(run));
  const covered = leaves.reduce((sum, leaf) => sum + leaf.bytes * leaf.count, 0);
  if (covered !== expected) {
    throw new WrongResult(`${label(plan)}: the leaves cover ${covered} bytes, ${expected} were mapped`);
  }
  return {
    // The root belongs to the kernel, not to the mappings.
    counters: { tablesRead, entriesWritten, tablesAllocated: tablesAllocated - 1 },
    leaves,
    tableFrames,
    entriesMean: walks === 0 ? null : entries / walks,
    entriesMax: walks === 0 ? null : entriesMax,
    shares: shares.bytes,
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
      throw new WrongResult(`${label(plan)}: the guard page at ${hex(guard)} is mapped, to ${hex(got)}`);
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
    throw new WrongResult(
      `${table.format.name}: ${wrongOnes} of ${frame.length} sampled addresses translate to a wrong frame`,
    );
  }
}

function takeDown(kernel: AddressSpace, areas: readonly VmArea[]): void {
  for (const area of areas) kernel.freeVmArea(area);
  const left = kernel.table.leaves().next();
  if (left.done !== true) {
    throw new WrongResult(
      `${kernel.table.format.name}: ${hex(left.value.va)} is still mapped after the teardown`,
    );
  }
  kernel.destroy();
}

function wrong(plan: Plan, va: bigint, frame: number, got: string): WrongResult {
  return new WrongResult(
    `${label(plan)}: ${hex(va)} was mapped to frame 0x${frame.toString(16)} and translates to ${got}`,
  );
}

function label(plan: Plan): string {
  return `${plan.configuration.name}, ${plan.leafPolicy} leaves`;
}

/** Runs an action. Returns the nanoseconds that it takes, 0 without a clock. */
function timed(now: (() => number) | undefined, action: () => void): number {
  const start = now?.() ?? 0;
  action();
  return ((now?.() ?? 0) - start) * 1e6;
}
