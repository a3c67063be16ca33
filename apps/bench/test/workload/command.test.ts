import { AddressSpace, FrameAllocator } from '@vmarea/core';
import * as v from 'valibot';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { TEST_CASES } from '../../src/workload/cases/index.js';
import { Run } from '../../src/workload/run.js';
import { capture } from '../support/capture.js';
import { workloadShape } from '../support/shapes.js';

afterEach(() => {
  vi.restoreAllMocks();
});

const few = ['--test-loop-count', '20', '--format', 'x86-64,riscv64-sv48'];

async function json(args: readonly string[]) {
  const { code, out, err } = await capture(['workload', ...args, '--json']);
  expect(err).toBe('');
  expect(code).toBe(0);
  return v.parse(workloadShape, JSON.parse(out));
}

describe('workload --json', () => {
  it('prints one object of the documented shape', async () => {
    const result = await json(['fix_size_alloc_test,vrealloc_test', ...few]);
    expect(result.parameters).toEqual({
      ...{ sequentialTestOrder: false, testRepeatCount: 1, testLoopCount: 20, nrPages: 1, useHuge: false },
      ...{ nrPcpuObjects: 35_000, seed: 1, release: '6.12', cpus: 1 },
    });
    expect(result.rows.map((row) => row.configuration)).toEqual([
      ...['x86-64', 'x86-64', 'riscv64-sv48', 'riscv64-sv48'],
    ]);
    expect(result.workers.map(({ configuration, worker }) => [configuration, worker])).toEqual([
      ['x86-64', 0],
      ['riscv64-sv48', 0],
    ]);
  });

  it('has the same counts in every run and order', async () => {
    const args = ['random_size_alloc_test,fix_size_alloc_test,vm_map_ram_test', ...few];
    const counts = async (more: readonly string[]) =>
      (await json([...args, ...more])).rows
        .map(({ avgUsec: _avg, operationsPerSecond: _ops, ...rest }) => rest)
        .sort((a, b) => a.case.localeCompare(b.case));
    const first = await counts([]);
    expect(await counts([])).toEqual(first);
    expect(await counts(['--sequential-test-order'])).toEqual(first);
  });

  it('runs cases in a random order, or in that of their bits', async () => {
    const mask = ['--run-test-mask', String(1 + 8 + 16 + 32 + 1024 + 2048), ...few];
    const order = async (more: readonly string[]) =>
      (await json([...mask, ...more])).rows.map((row) => row.case);
    const bits = TEST_CASES.map(({ name }) => name).filter((_name, i) => [0, 3, 4, 5, 10, 11].includes(i));
    expect(await order(['--sequential-test-order'])).toEqual([...bits, ...bits]);
    const drawn = await order([]);
    expect(drawn).not.toEqual([...bits, ...bits]);
    expect([...new Set(drawn)].sort()).toEqual([...bits].sort());
  });
});

describe('workload as text', () => {
  it("prints the module's lines, and a table of all formats", async () => {
    const { code, out, err } = await capture([
      'workload',
      'fix_size_alloc_test,align_shift_alloc_test',
      ...few,
    ]);
    expect(err).toBe('');
    expect(code).toBe(0);
    const line = (name: string, counts: string) =>
      new RegExp(`^Summary: ${name} ${counts} repeat: 1 loops: 20 avg: \\d+ usec$`, 'gm');
    expect(out.match(line('fix_size_alloc_test', 'passed: 1 failed: 0 xfailed: 0'))).toHaveLength(2);
    expect(out.match(line('align_shift_alloc_test', 'passed: 0 failed: 0 xfailed: 1'))).toHaveLength(2);
    expect(out.match(/^All test took worker0=\d+ ns$/gm)).toHaveLength(2);
    expect(out).toMatch(
      /^x86-64 +fix_size_alloc_test +[\d,]+ +[\d,]+ +160 +43 +0 +0 +40\nriscv64-sv48 +fix_size_alloc_test /m,
    );
    expect(out.replace(/\s+/g, ' ')).toContain(
      'After each of 4 cases, no area was left and every page came back.',
    );
  });

  it('runs the first three cases by default', async () => {
    const { code, out } = await capture(['workload', '--test-loop-count', '2', '--format', 'arm64-64k-48']);
    expect(code).toBe(0);
    const names = [...out.matchAll(/^Summary: (\w+)/gm)].map(([, name]) => name);
    expect(names.sort()).toEqual(['fix_size_alloc_test', 'full_fit_alloc_test', 'long_busy_list_alloc_test']);
  });
});

describe('workload', () => {
  it.each([
    [['fix_siz_alloc_test'], 'Did you mean fix_size_alloc_test?'],
    [['all,nothing_of_the_kind'], 'Cases: fix_size_alloc_test, full_fit'],
    [['vrealloc_test,'], 'an empty name of a case'],
    [['all', '--run-test-mask', '1'], 'give one of them'],
    [['--run-test-mask', '0'], 'must be a whole number from 1 to 8191'],
    [['--run-test-mask', '8192'], 'must be a whole number from 1 to 8191'],
    [['all', '--test-loop-count', '0'], '--test-loop-count must be'],
    [['all', '--test-loop-count', '1e3'], '--test-loop-count must be'],
    [['all', '--test-repeat-count', '-1'], '--test-repeat-count must be'],
    [['all', '--nr-pages', 'x'], '--nr-pages must be'],
    [['all', '--nr-pcpu-objects', '0'], '--nr-pcpu-objects must be'],
    [['all', '--cpus', '129'], '--cpus must be'],
    [['all', '--seed', '-1'], '--seed must be'],
    [['all', '--release', '6.13'], "unknown value of --release '6.13'\nDid you mean 6.12?"],
    [['all', '--use-hug'], "unknown option '--use-hug'\nDid you mean --use-huge?"],
    [['all', '--nr-threads', '2'], "unknown option '--nr-threads'"],
    [['all', '--format', 'x86'], "unknown format 'x86'"],
    [['all', 'vrealloc_test'], "unexpected argument 'vrealloc_test'"],
    [['fix_size_alloc_test', '--nr-pages', '262144', '--format', 'arm64-64k-48'], 'ask for fewer --nr-pages'],
  ])('refuses %j', async (args, message) => {
    const { code, out, err } = await capture(['workload', ...args]);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toContain(message);
  });
});

describe('the checks find', () => {
  const run = (name: string) => capture(['workload', name, '--test-loop-count', '20', '--format', 'x86-64']);

  it('an area that leaks', async () => {
    const { vfree } = AddressSpace.prototype;
    let left = 7;
    vi.spyOn(AddressSpace.prototype, 'vfree').mockImplementation(function (this: AddressSpace, address) {
      if (--left !== 0) vfree.call(this, address);
    });
    const { code, err } = await run('fix_size_alloc_test');
    expect(code).toBe(1);
    expect(err).toContain('x86-64, fix_size_alloc_test: 1 areas with 8192 bytes are left at the end');
  });

  it('a page that leaks', async () => {
    const { freeMany } = FrameAllocator.prototype;
    let isDone = false;
    vi.spyOn(FrameAllocator.prototype, 'freeMany').mockImplementation(function (this: FrameAllocator, pfns) {
      if (isDone) freeMany.call(this, pfns);
      isDone = true;
    });
    const { code, err } = await run('fix_size_alloc_test');
    expect(code).toBe(1);
    expect(err).toContain('pages leaked: 0 allocated before the run, 1 after it');
  });

  it('tables that leak', async () => {
    vi.spyOn(AddressSpace.prototype, 'destroy').mockImplementation(() => {});
    const { code, err } = await run('fix_size_alloc_test');
    expect(code).toBe(1);
    expect(err).toContain('tables leaked: 0 allocated before the run, 4 after it');
  });

  it('contents that are lost', async () => {
    vi.spyOn(Run.prototype, 'load').mockReturnValue(0);
    const { code, out, err } = await run('vrealloc_test');
    expect(code).toBe(1);
    expect(out).toContain('Summary: vrealloc_test passed: 0 failed: 1 xfailed: 0');
    expect(err).toContain('1 case failed, first vrealloc_test on x86-64');
  });

  it('exhausted memory', async () => {
    const { vmallocNodeRange } = AddressSpace.prototype;
    vi.spyOn(AddressSpace.prototype, 'vmallocNodeRange').mockImplementation(function (
      this: AddressSpace,
      request,
    ) {
      return vmallocNodeRange.call(this, { ...request, size: 1n << 40n });
    });
    const { code, out } = await run('fix_size_alloc_test');
    expect(code).toBe(1);
    expect(out).toContain('Summary: fix_size_alloc_test passed: 0 failed: 1 xfailed: 0');
  });
});
