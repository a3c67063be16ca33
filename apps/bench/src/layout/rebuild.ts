import {
  FrameAllocator,
  hex,
  joinWords,
  PageTable,
  type PageTableFormat,
  PhysicalMemory,
} from '@vmarea/core';
import { proveAllReturned } from '../all-returned.js';
import { CheckError } from '../errors.js';
import { random } from '../random.js';
import { rootFrames } from '../root-frames.js';
import { spread } from '../spread.js';
import { timed } from '../timed.js';
import { FramePools } from './frames.js';
import type { Mapping, Plan } from './plan.js';
import type { LayoutRow } from './result.js';
import { type Sample, type Stretch, samplePages } from './sample.js';

/** How a plan is carried out. */
export interface RebuildOptions {
  readonly seed: number;
  /** Measured rounds. */
  readonly repeat: number;
  /** Called between rounds. */
  readonly step: () => Promise<void>;
}

/** Translations per timing loop, and how many of them are walked step by step too. */
const SAMPLES = 32768;
const WALKS = 4096;

/** Pages that have to be mapped before anything is counted: the first ones run code that is not compiled yet. */
const WARM_UP_PAGES = 2 ** 19;

/** Rounds that are not counted: one for a large plan, many for a small one. */
export function warmUpRounds(plan: Plan): number {
  return Math.min(Math.max(Math.ceil(WARM_UP_PAGES / Math.max(plan.pages, 1)), 1), 100);
}

/** A mapped area, ready to be handed to the page table again and again. */
interface Job extends Stretch {
  readonly bytes: bigint;
  readonly mapping: Mapping;
  /** `null` for a physical range. */
  readonly frames: Uint32Array | null;
}

/**
 * Maps a plan into fresh page tables as often as asked, checks the translations, measures, takes everything
 * down again and proves that no frame is missing.
 *
 * @throws CheckError when a translation is wrong or a frame leaked.
 */
export async function rebuild(plan: Plan, options: RebuildOptions): Promise<LayoutRow> {
  const { format, linux, name, title } = plan.configuration;
  const pageBytes = 2 ** format.pageShift;
  // The root may need an aligned block of several frames.
  const memory = PhysicalMemory.create({ bytes: (plan.tableFrames + 2 * rootFrames(format)) * pageBytes });
  const tables = new FrameAllocator(memory, { pageShift: format.pageShift });
  const before = tables.stats();
  const pools = new FramePools(plan, options.seed);
  const jobs = jobsOf(plan, pools);
  const sample = samplePages(jobs, SAMPLES, format.pageShift, random(options.seed));

  const nsPerPage: number[] = [];
  const nsPerWalk: number[] = [];
  let seen: Seen | null = null;
  const warmUp = warmUpRounds(plan);
  for (let round = 1 - warmUp; round <= options.repeat; round++) {
    await options.step();
    const table = new PageTable({ format, memory, frames: tables });
    table.resetCounters();
    const mapping = timed(() => mapAll(table, jobs));
    seen ??= inspect(table, plan, jobs, sample, tables.stats().allocated);
    const walking = timed(() => checkSample(table, sample));
    if (round > 0 && plan.pages > 0) {
      nsPerPage.push(mapping / plan.pages);
      nsPerWalk.push(walking / sample.frame.length);
    }
    takeDown(table, jobs);
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
  const pageShift = BigInt(plan.configuration.format.pageShift);
  return plan.areas.flatMap(({ area, mapping }) => {
    if (mapping === null) return [];
    const { source, pages } = mapping;
    const frames = source.type === 'frames' ? pools.take(mapping) : null;
    const frameAt = (page: number): number =>
      source.type === 'range' ? source.firstFrame + page : ((frames as Uint32Array)[page] as number);
    return [{ address: area.address, pages, bytes: BigInt(pages) << pageShift, mapping, frames, frameAt }];
  });
}

function mapAll(table: PageTable, jobs: readonly Job[]): void {
  for (const { address, bytes, frames, mapping } of jobs) {
    const { maxLeafShift, maxRunShift } = mapping;
    const cap = { maxLeafShift, maxRunShift };
    if (mapping.source.type === 'range') {
      table.mapRange(address, mapping.source.physical, bytes, mapping.protection, cap);
    } else {
      table.map(address, frames as Uint32Array, mapping.protection, cap);
    }
  }
}

/** What one full table looked like. */
interface Seen {
  readonly counters: LayoutRow['work'];
  readonly leaves: LayoutRow['leaves'];
  readonly tableFrames: number;
  readonly entriesMean: number | null;
  readonly entriesMax: number | null;
}

function inspect(
  table: PageTable,
  plan: Plan,
  jobs: readonly Job[],
  sample: Sample,
  tableFrames: number,
): Seen {
  const { tablesRead, entriesWritten, tablesAllocated } = table.counters;
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
  const leaves = leavesBySize(plan.configuration.format, table);
  const covered = leaves.reduce((sum, leaf) => sum + leaf.bytes * leaf.count, 0);
  const expected = plan.pages * 2 ** plan.configuration.format.pageShift;
  if (covered !== expected) {
    throw new CheckError(`${label(plan)}: the leaves cover ${covered} bytes, ${expected} were mapped`);
  }
  return {
    counters: { tablesRead, entriesWritten, tablesAllocated },
    leaves,
    tableFrames,
    entriesMean: walks === 0 ? null : entries / walks,
    entriesMax: walks === 0 ? null : entriesMax,
  };
}

/** Leaves by size, smallest first; a run with a contiguous hint is one of its own size, as it is for a TLB. */
function leavesBySize(format: PageTableFormat, table: PageTable): LayoutRow['leaves'] {
  const counts = new Map<number, number>();
  for (const { level, flags, leafShift, count } of table.leaves()) {
    const run = format.levels[level]?.run ?? null;
    const mark = run === null ? 0n : joinWords(run.set.lo, run.set.hi);
    const entries = run !== null && (flags & mark) === mark ? run.entries : 1;
    const bytes = entries * 2 ** leafShift;
    counts.set(bytes, (counts.get(bytes) ?? 0) + count / entries);
  }
  return [...counts].sort(([a], [b]) => a - b).map(([bytes, count]) => ({ bytes, count }));
}

/** First and last page of every area must be the ones that were given; the page behind must not be mapped. */
function checkEnds(table: PageTable, plan: Plan, jobs: readonly Job[]): void {
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

/** Translates the sample and compares every result; this loop is also what is timed. */
function checkSample(table: PageTable, { hi, lo, frame }: Sample): void {
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

function takeDown(table: PageTable, jobs: readonly Job[]): void {
  for (const { address, bytes } of jobs) table.unmap(address, bytes);
  const left = table.leaves().next();
  if (left.done !== true) {
    throw new CheckError(`${table.format.name}: ${hex(left.value.va)} is still mapped after the teardown`);
  }
  table.destroy();
}

function wrong(plan: Plan, va: bigint, frame: number, got: string): CheckError {
  return new CheckError(
    `${label(plan)}: ${hex(va)} was mapped to frame 0x${frame.toString(16)} and translates to ${got}`,
  );
}

function label(plan: Plan): string {
  return `${plan.configuration.name}, ${plan.leafPolicy} leaves`;
}
