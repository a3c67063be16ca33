import { arm64 } from '@vmarea/arm64';
import { SeededRandom } from '@vmarea/conformance';
import { collapseLeaves, type FlushSink, type PageTableFormat, splitLeaves, VmError } from '@vmarea/core';
import { riscv64 } from '@vmarea/riscv64';
import { x8664 } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';
import type { SanitizerReport } from '../../src/index.js';
import { READ, WRITE } from './support/cpu.js';
import { KERNEL, stage } from './support/stage.js';

/*
 * A random program with two processors: it maps, changes and frees pages that it owns, and both processors use them all the time.
 * As it is, nothing is found. With a fault planted in its flushes, each seed finds it.
 */

/** VMAREA_RUNS multiplies the number of steps. */
const RUNS = Number(process.env.VMAREA_RUNS ?? 1);
const STEPS = 250 * RUNS;

const FORMATS: readonly [string, PageTableFormat][] = [
  ['x86-64', x8664()],
  ['arm64 with runs', arm64({ granule: 4, vaBits: 39 })],
  ['riscv64 with runs', riscv64({ mode: 'sv39' })],
];

/** What stands between the table and the sanitizer. */
type Fault = (sink: FlushSink) => FlushSink;

/** A block of frames that is mapped. */
interface Block {
  readonly page: number;
  readonly pfn: number;
  readonly order: number;
}

/** Orders of blocks: a page, a run, and more than one. */
const ORDERS = [0, 0, 0, 2, 4, 5];
const PAGES = 256;
/** Pages of a last-level table: blocks are in several, so that some become empty. */
const TABLE = 512;

function program(format: PageTableFormat, seed: number, fault?: Fault): readonly SanitizerReport[] {
  const dice = new SeededRandom(seed);
  const { sanitizer, table, frames, cpus, at, page } = stage({
    format,
    ...(fault === undefined ? {} : { sink: fault }),
  });
  const blocks: Block[] = [];
  const use = (): void => {
    for (const cpu of cpus)
      for (let i = 0; i < 4; i++) {
        const { page: first, order } = blocks.length > 0 ? dice.of(blocks) : { page: 0, order: 0 };
        cpu.access(at(first + dice.below(2 ** order)), dice.of([READ, WRITE]));
      }
  };
  for (let step = 0; step < STEPS; step++) {
    const some = blocks.length > 0 ? dice.of(blocks) : null;
    const range = some === null ? null : ([at(some.page), 2 ** some.order * page] as const);
    const what = dice.below(10);
    try {
      if (range === null || some === null || (what < 4 && blocks.length < 12)) {
        const order = dice.of(ORDERS);
        const first = (dice.below(PAGES >> order) << order) + TABLE * dice.below(8);
        const pfn = frames.tryAllocate(order);
        if (pfn < 0) continue;
        try {
          table.mapRange(at(first), BigInt(pfn) << BigInt(format.pageShift), 2 ** order * page, KERNEL);
          blocks.push({ page: first, pfn, order });
        } catch {
          frames.free(pfn, order);
        }
      } else if (what < 7) {
        table.unmap(...range, { reclaim: dice.oneIn(2) });
        frames.free(some.pfn, some.order);
        blocks.splice(blocks.indexOf(some), 1);
      } else if (what === 7) table.protect(...range, { write: dice.oneIn(2) });
      else if (what === 8) splitLeaves(table, range[0], page, { leafShift: format.pageShift });
      else collapseLeaves(table, ...range);
    } catch (error) {
      if (!(error instanceof VmError)) throw error;
    }
    use();
  }
  table.destroy();
  sanitizer.settle();
  return sanitizer.reports;
}

describe.each(FORMATS)('a random program on %s', (_name, format) => {
  test.each([1, 2, 3])('leaves nothing stale, from seed %i on', (seed) => {
    expect(program(format, seed).map(String)).toEqual([]);
  });

  /** Every third flush of pages goes wrong. */
  const third = (wrong: (sink: FlushSink, ...flush: Parameters<FlushSink['flush']>) => void): Fault => {
    let count = 0;
    return (sink) => ({
      ...sink,
      flush: (...flush) => (++count % 3 === 0 ? wrong(sink, ...flush) : sink.flush(...flush)),
    });
  };

  test.each<[string, Fault, string]>([
    ['is left out', third(() => {}), 'no-flush'],
    [
      'goes to another address space',
      third((sink, va, bytes, shift, tables, asid) => sink.flush(va, bytes, shift, tables, asid + 1)),
      'wrong-asid',
    ],
    [
      'misses the first page',
      third((sink, va, bytes, shift, tables, asid) => {
        const page = 1n << BigInt(format.pageShift);
        if (bytes > page) sink.flush(va + page, bytes - page, shift, tables, asid);
      }),
      '',
    ],
    [
      'names no table',
      (sink) => ({
        ...sink,
        flush: (va, bytes, shift, _tables, asid) => sink.flush(va, bytes, shift, [], asid),
      }),
      'tables-not-named',
    ],
  ])('is caught when a flush %s', (_fault, fault, cause) => {
    for (const seed of [1, 2]) {
      const errors = program(format, seed, fault).filter((report) => report.class === 'error');
      expect(errors.length).toBeGreaterThan(0);
      expect(errors.map((report) => report.cause).join()).toContain(cause);
    }
  });
});
