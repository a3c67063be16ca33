import { choose } from '@vmarea/cli';
import type { Configuration } from '@vmarea/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { installedFormats } from '../../src/formats.js';
import { bedOf } from '../../src/workload/bed.js';
import { TEST_CASES } from '../../src/workload/cases/index.js';
import { type Parameters, parametersOf } from '../../src/workload/parameters.js';
import type { WorkloadRow } from '../../src/workload/result.js';
import { runCase } from '../../src/workload/run-case.js';

const NAMES = ['x86-64', 'arm64-64k-48'] as const;
let formats: readonly Configuration[];

beforeAll(async () => {
  formats = choose(await installedFormats('/'), NAMES.join());
});

async function run(name: string, format: string, changed: Partial<Parameters> = {}): Promise<WorkloadRow> {
  const parameters = { ...parametersOf({ 'test-loop-count': '50', 'nr-pcpu-objects': '400' }), ...changed };
  const index = TEST_CASES.findIndex((one) => one.name === name);
  const one = TEST_CASES[index];
  const configuration = formats.find((each) => each.name === format);
  if (one === undefined || configuration === undefined) throw new Error(`no ${name} on ${format}`);
  const frames = one.frames(parameters, configuration);
  const isBlind = one.isBlind === true;
  const bed = bedOf(configuration, isBlind ? 0 : frames, isBlind ? frames : 0);
  return (await runCase(one, index, bed, parameters, async () => {})).row;
}

/** The levels of a format, from its manual. */
const LEVELS = { 'x86-64': 4, 'arm64-64k-48': 3 } as const;
/** 32 MiB in pages. */
const LAZY = { 'x86-64': 8192, 'arm64-64k-48': 512 } as const;

describe.each(NAMES)('on %s', (format) => {
  const levels = LEVELS[format];
  const passed = { passed: 1, failed: 0, xfailed: 0, repeat: 1, loops: 50 };

  it.each(['fix_size_alloc_test', 'no_block_alloc_test'])(
    '%s writes and clears one entry, at new addresses',
    async (name) => {
      expect(await run(name, format)).toMatchObject({
        ...passed,
        operations: 100,
        work: { tablesRead: 2 * 50 * levels, entriesWritten: 100 + levels - 1, flushes: 0, purges: 0 },
        // A page and its guard each.
        lazyPages: 100,
      });
    },
  );

  it('fix_size_alloc_test of more pages purges at the limit of waiting pages', async () => {
    const row = await run('fix_size_alloc_test', format, { nrPages: 100, testLoopCount: 200 });
    const each = Math.floor(LAZY[format] / 101) + 1;
    expect(row).toMatchObject({ passed: 1, lazyPages: Math.min(200, each) * 101 });
    const purges = Math.floor(200 / each);
    expect(row.work).toMatchObject({ flushes: purges, purges });
  });

  it('fix_size_alloc_test with --use-huge uses larger leaves if the format has such small ones', async () => {
    const huge = await run('fix_size_alloc_test', format, { nrPages: 512, useHuge: true });
    const small = await run('fix_size_alloc_test', format, { nrPages: 512 });
    expect(small.work.entriesWritten).toBeGreaterThan(2 * 50 * 512);
    if (format === 'x86-64') expect(huge.work.entriesWritten).toBeLessThan(4 * 50);
    else expect(huge.work.entriesWritten).toBe(small.work.entriesWritten);
  });

  it('full_fit_alloc_test makes as many holes as pages may wait', async () => {
    const row = await run('full_fit_alloc_test', format);
    expect(row).toMatchObject({ ...passed, operations: 4 * LAZY[format] + 2 * 50 + 4 });
    expect(row.work.purges).toBeGreaterThan(2);
  });

  it('long_busy_list_alloc_test allocates after 15,000 areas', async () => {
    expect(await run('long_busy_list_alloc_test', format)).toMatchObject({
      ...passed,
      operations: 2 * 15_001 + 4 * 50,
    });
  });

  it('random_size_alloc_test has other sizes for other seeds', async () => {
    const first = await run('random_size_alloc_test', format);
    expect(first).toMatchObject({ ...passed, operations: 100 });
    const { work, lazyPages } = await run('random_size_alloc_test', format);
    expect({ work, lazyPages }).toEqual({ work: first.work, lazyPages: first.lazyPages });
    expect((await run('random_size_alloc_test', format, { seed: 2 })).work).not.toEqual(first.work);
  });

  it('fix_align_alloc_test allocates five pages and a guard', async () => {
    const { work, ...row } = await run('fix_align_alloc_test', format);
    expect(row).toMatchObject({ ...passed, operations: 100, lazyPages: 300 });
    expect(work).toEqual({
      ...{ tablesRead: 2 * 50 * levels, entriesWritten: 500 + levels - 1, flushes: 0, purges: 0 },
    });
  });

  it('random_size_align_alloc_test passes', async () => {
    expect(await run('random_size_align_alloc_test', format)).toMatchObject({ ...passed, operations: 100 });
  });

  it('align_shift_alloc_test fails as expected where alignments exceed the window', async () => {
    const row = await run('align_shift_alloc_test', format);
    expect(row).toMatchObject({ passed: 0, failed: 0, xfailed: 1 });
    // Two calls for each alignment that fits, and one that does not.
    expect(row.operations % 2).toBe(1);
    expect(row.operations).toBeGreaterThan(2 * 40);
  });

  it.each([1, 3])(
    'pcpu_alloc_test with %d processors maps a page in every unit for each page with an object',
    async (cpus) => {
      const row = await run('pcpu_alloc_test', format, { cpus });
      expect(row).toMatchObject({ ...passed, operations: 800 });
      // Objects are an eighth of a page on average, and not much is lost between them.
      const pages = 400 / 8;
      expect(row.work.entriesWritten).toBeGreaterThan(pages * cpus);
      expect(row.work.entriesWritten).toBeLessThan(2 * 2 * pages * cpus);
    },
  );

  it.each(['kvfree_rcu_1_arg_vmalloc_test', 'kvfree_rcu_2_arg_vmalloc_test'])(
    '%s frees by pages of pointers',
    async (name) => {
      // 512 words of 4 KiB less 5: the first page is freed when the second is full.
      const freed = format === 'x86-64' ? 507 : 0;
      const row = await run(name, format, { testLoopCount: 1100 });
      expect(row).toMatchObject({ passed: 1, operations: 1100 + freed, lazyPages: 2 * freed });
    },
  );

  it('vm_map_ram_test flushes once for each block of at most 1,024 pages', async () => {
    const row = await run('vm_map_ram_test', format, { testLoopCount: 1100 });
    expect(row).toMatchObject({ passed: 1, operations: 2200 });
    expect(row.work.flushes).toBe(format === 'x86-64' ? 0 : 1);
    expect(row.lazyPages).toBe(1024);
  });

  it.each(['6.12', '2026'] as const)('vrealloc_test as in %s flushes for a freed tail', async (release) => {
    const row = await run('vrealloc_test', format, { release });
    expect(row).toMatchObject({ ...passed, operations: 6 * 50 });
    // Areas of 1 and of 4 pages with their guards wait; tails of 3 pages are flushed at once since 2026.
    expect(row.lazyPages).toBe(50 * 7);
    expect(row.work).toMatchObject({ flushes: release === '2026' ? 50 : 0, purges: 0 });
  });

  it('every case can be repeated, on several processors', async () => {
    for (const { name, isExpectedToFail } of TEST_CASES) {
      if (name === 'long_busy_list_alloc_test' || name === 'full_fit_alloc_test') continue;
      const row = await run(name, format, {
        testRepeatCount: 3,
        cpus: 4,
        testLoopCount: 30,
        nrPcpuObjects: 60,
      });
      expect(row.failed).toBe(0);
      expect(row.passed + row.xfailed).toBe(3);
      if (!isExpectedToFail) expect(row.passed).toBe(3);
      expect(row.leakCheck.tables.after).toBe(0);
      expect(row.leakCheck.tables.peak).toBeGreaterThan(0);
      expect(row.leakCheck.pages).toEqual({ before: 0, after: 0 });
    }
  });
});
