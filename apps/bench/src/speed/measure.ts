import { type Configuration, FrameAllocator, PageTable, PhysicalMemory, VmError } from '@vmarea/core';
import { CheckError, UsageError } from '../errors.js';
import { random } from '../random.js';
import { rootFrames } from '../root-frames.js';
import { timed } from '../timed.js';

/** The same amount of work for every format. */
export interface SpeedWork {
  /** Base pages to map; as many addresses are translated. */
  readonly pages: number;
  readonly seed: number;
}

/** Exact work of one call. */
export interface Work {
  readonly tablesRead: number;
  readonly entriesWritten: number;
  readonly tablesAllocated: number;
}

/** One round: nanoseconds per page and translation, exact work, and what the translations gave. */
export interface Round {
  readonly mapNs: number;
  readonly translateNs: number;
  readonly unmapNs: number;
  readonly map: Work;
  readonly unmap: Work;
  readonly checksum: number;
}

/** A format with everything that its rounds share. */
export interface Subject {
  readonly configuration: Configuration;
  round(): Round;
}

/** First frame that is mapped; any would do, a table may be mapped too. */
const FIRST_FRAME = 2 ** 18;

/**
 * Prepares a format: scattered frames, random addresses as words, and memory for the tables.
 *
 * The frames and the order of the pages that are translated depend on the seed alone, so that every format
 * does equal work and arrives at the same checksum.
 *
 * @throws UsageError when the vmalloc window has no room for the pages.
 */
export function subject(configuration: Configuration, { pages, seed }: SpeedWork): Subject {
  const { format, linux } = configuration;
  const pageShift = BigInt(format.pageShift);
  const start = ((linux.window.start + (1n << pageShift) - 1n) >> pageShift) << pageShift;
  if (start + (BigInt(pages) << pageShift) > linux.window.end) {
    throw new UsageError(
      `--pages ${pages}: the vmalloc window of ${configuration.name} has no room for so many`,
    );
  }
  const frames = Uint32Array.from(
    new FrameAllocator(null, { first: FIRST_FRAME, frames: 2 * pages, scatter: seed }).allocateMany(pages),
  );
  const { hi, lo, expected } = addresses(start, frames, format.pageShift, seed);
  const memory = memoryForTables(configuration, start, pages);
  const tables = new FrameAllocator(memory, { pageShift: format.pageShift });
  const bytes = BigInt(pages) << pageShift;
  const cap = { maxLeafShift: format.pageShift };

  return {
    configuration,
    round() {
      const table = new PageTable({ format, memory, frames: tables });
      table.resetCounters();
      const mapNs = timed(() => table.map(start, frames, linux.protections.PAGE_KERNEL, cap));
      const map = workOf(table);
      let checksum = 0;
      const translateNs = timed(() => {
        checksum = translateAll(table, hi, lo);
      });
      table.resetCounters();
      const unmapNs = timed(() => table.unmap(start, bytes));
      const unmap = workOf(table);
      const left = table.translate(start);
      table.destroy();
      if (checksum !== expected || left !== null || tables.stats().allocated !== 0) {
        throw new CheckError(
          `${configuration.name}: checksum ${checksum} instead of ${expected}, ` +
            `${left === null ? 'nothing' : 'something'} mapped after unmap, ${tables.stats().allocated} table frames leaked`,
        );
      }
      const per = (ns: number): number => ns / pages;
      return {
        mapNs: per(mapNs),
        translateNs: per(translateNs),
        unmapNs: per(unmapNs),
        map,
        unmap,
        checksum: checksum >>> 0,
      };
    },
  };
}

/** Translates every address and folds the frames into one number. */
function translateAll(table: PageTable, hi: Int32Array, lo: Int32Array): number {
  let checksum = 0;
  for (let i = 0; i < hi.length; i++) {
    checksum = (Math.imul(checksum, 31) + table.translateWords(hi[i] as number, lo[i] as number)) | 0;
  }
  return checksum;
}

/** Random addresses in the mapped range, as words, and the checksum that their frames must give. */
function addresses(
  start: bigint,
  frames: Uint32Array,
  pageShift: number,
  seed: number,
): { hi: Int32Array; lo: Int32Array; expected: number } {
  const source = random(seed);
  const hi = new Int32Array(frames.length);
  const lo = new Int32Array(frames.length);
  let expected = 0;
  for (let i = 0; i < frames.length; i++) {
    const page = source.next(frames.length);
    const va = start + (BigInt(page) << BigInt(pageShift));
    hi[i] = Number(BigInt.asIntN(32, va >> 32n));
    lo[i] = Number(BigInt.asIntN(32, va));
    expected = (Math.imul(expected, 31) + (frames[page] as number)) | 0;
  }
  return { hi, lo, expected };
}

/** Memory for the tables of one range: per level, the tables that its addresses need, counted generously. */
function memoryForTables({ name, format }: Configuration, start: bigint, pages: number): PhysicalMemory {
  const last = start + (BigInt(pages) << BigInt(format.pageShift)) - 1n;
  const needed = format.levels
    .slice(0, -1)
    .reduce((sum, { shift }) => sum + Number((last >> BigInt(shift)) - (start >> BigInt(shift))) + 1, 0);
  try {
    return PhysicalMemory.create({ bytes: (needed + 2 * rootFrames(format)) * 2 ** format.pageShift });
  } catch (error) {
    if (error instanceof VmError)
      throw new UsageError(`no memory for the tables of ${name}: ${error.message}`);
    throw error;
  }
}

function workOf(table: PageTable): Work {
  const { tablesRead, entriesWritten, tablesAllocated } = table.counters;
  return { tablesRead, entriesWritten, tablesAllocated };
}
