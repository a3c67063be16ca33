import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CheckError } from '@vmarea/cli';
import { PageTable, PhysicalMemory } from '@vmarea/core';
import { wide } from '@vmarea/testkit';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { capture } from '../support/capture.js';
import { fakeCompiler } from '../support/compiler.js';
import { configurationOf, measured, small, speedJson } from '../support/speed.js';

const folder = mkdtempSync(join(tmpdir(), 'vmarea-checks-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => {
  vi.restoreAllMocks();
});

/** Two formats are enough to disagree. */
const X86 = ['--format', 'x86-64,x86-64-la57'];

/** The message of a run with a wrong result, which must fail and print no numbers. */
async function complaint(args: readonly string[], env = {}): Promise<string> {
  const { code, out, err } = await capture([...small, ...(args.includes('--format') ? [] : X86), ...args], {
    env,
  });
  expect(code).toBe(1);
  expect(out).toBe('');
  expect(err).not.toContain('internal error');
  return err;
}

/** Makes the walks of array loops, or of all, return the next frame. */
function translateWrongly(where: 'array' | 'everywhere'): void {
  let isArrayLoops = false;
  const { create } = PhysicalMemory;
  const { translateWords } = PageTable.prototype;
  vi.spyOn(PhysicalMemory, 'create').mockImplementation((options) => {
    isArrayLoops = options.loops === undefined;
    return create.call(PhysicalMemory, options);
  });
  vi.spyOn(PageTable.prototype, 'translateWords').mockImplementation(function (this: PageTable, hi, lo) {
    const pfn = translateWords.call(this, hi, lo);
    return isArrayLoops || where === 'everywhere' ? pfn + 1 : pfn;
  });
}

describe('the checks of speed find', () => {
  it.each(['array', 'everywhere'] as const)('a wrong translation (%s)', async (where) => {
    translateWrongly(where);
    // By what was mapped: no other variant, and no compiler, is needed to see it.
    for (const id of ['W4.random', 'W4.sequential', 'W5.translate']) {
      const message = await complaint(['--workload', id, '--format', 'x86-64', '--variant', 'wasm,array']);
      expect(message, id).toMatch(
        /^vmarea-bench: x86-64: translations give checksum -?\d+ instead of -?\d+\n$/,
      );
    }
  });

  it('a format with another result', async () => {
    const { map } = PageTable.prototype;
    vi.spyOn(PageTable.prototype, 'map').mockImplementation(function (this: PageTable, va, frames, ...rest) {
      const isOther = va === configurationOf('x86-64-la57').linux.window.start;
      return map.call(this, va, isOther ? (frames as Uint32Array).toReversed() : frames, ...rest);
    });
    expect(await complaint(['--workload', 'W1.fresh'])).toMatch(
      / of x86-64-la57 \(wasm\), .* of x86-64 \(wasm\)/,
    );
  });

  it('a mapping that stays', async () => {
    vi.spyOn(PageTable.prototype, 'unmap').mockImplementation(() => {});
    expect(await complaint(['--workload', 'W3'])).toMatch(/x86-64: 64 mapped pages or leaves instead of 0/);
    await expect(measured(wide, 'W3')).rejects.toThrow(CheckError);
  });

  it('a single page that stays', async () => {
    vi.spyOn(PageTable.prototype, 'unmapWords').mockReturnValue(5);
    expect(await complaint(['--workload', 'W5.unmap'])).toMatch(/16 mapped pages or leaves instead of 0/);
  });

  it('a page that is missing', async () => {
    const { map } = PageTable.prototype;
    vi.spyOn(PageTable.prototype, 'map').mockImplementation(function (this: PageTable, va, frames, ...rest) {
      return map.call(this, va, (frames as Uint32Array).subarray(1), ...rest);
    });
    expect(await complaint(['--workload', 'W1.fresh'])).toMatch(/63 mapped pages or leaves instead of 64/);
    expect(await complaint(['--workload', 'W4.batch'])).toMatch(/63 of 64 pages translated/);
    expect(await complaint(['--workload', 'W6'])).toMatch(/63 leaves after protect instead of 64/);
  });

  it('permissions that did not change', async () => {
    vi.spyOn(PageTable.prototype, 'protect').mockImplementation(() => {});
    expect(await complaint(['--workload', 'W6'])).toMatch(
      /a leaf has other permissions than protect gave it/,
    );
  });

  it('tables that leak', async () => {
    vi.spyOn(PageTable.prototype, 'destroy').mockImplementation(() => {});
    // A root, a PUD, a PMD and a table of pages.
    expect(await complaint(['--workload', 'W3', '--format', 'x86-64'])).toMatch(
      /x86-64: 4 table frames leaked$/m,
    );
  });

  it('rounds that differ', async () => {
    let calls = 0;
    const { unmap } = PageTable.prototype;
    vi.spyOn(PageTable.prototype, 'unmap').mockImplementation(function (this: PageTable, va, bytes) {
      unmap.call(this, va, bytes);
      if (++calls === 3) unmap.call(this, va, bytes);
    });
    expect(await complaint(['--workload', 'W3'])).toMatch(/x86-64, W3: equal rounds did different work/);
  });

  it('columns that do different work', async () => {
    const { map } = PageTable.prototype;
    vi.spyOn(PageTable.prototype, 'map').mockImplementation(function (this: PageTable, va, frames, ...rest) {
      map.call(this, va, frames, ...rest);
      // The same mappings at last, in the one without WebAssembly, by more work.
      if (isArrayLoops) {
        this.unmap(va, 4096);
        map.call(this, va, (frames as Uint32Array).subarray(0, 1), ...rest);
      }
    });
    let isArrayLoops = false;
    const { create } = PhysicalMemory;
    vi.spyOn(PhysicalMemory, 'create').mockImplementation((options) => {
      isArrayLoops = options.loops === undefined;
      return create.call(PhysicalMemory, options);
    });
    expect(await complaint(['--workload', 'W1.fresh', '--format', 'x86-64'])).toMatch(
      /x86-64, W1\.fresh: columns did different work: \{"tablesRead":4,.* and \{"tablesRead":/,
    );
  });
});

describe.skipIf(process.platform === 'win32')('the C reference', () => {
  const line = (units: number, checksum: number, tables = 3): string =>
    `echo '${JSON.stringify({ workload: 'W1.fresh', units, tables, checksum, ns: [640, 640, 640] })}'`;
  const args = ['--workload', 'W1.fresh', '--format', 'x86-64', '--variant', 'wasm,c'];

  it('must have the same checksum', async () => {
    const CC = fakeCompiler(folder, line(64, 7));
    expect(await complaint(args, { CC })).toMatch(
      /W1\.fresh: checksum 0x00000007 of the C reference, 0x[0-9a-f]{8} of x86-64 \(wasm\)/,
    );
  });

  it('must allocate as many tables', async () => {
    const { checksum } = await measured(configurationOf('x86-64'), 'W1.fresh');
    const CC = fakeCompiler(folder, line(64, checksum, 4));
    expect(await complaint(args, { CC })).toMatch(
      /x86-64, W1\.fresh: 3 tables were allocated, and 4 by the C reference/,
    );
    // With one level more there are more tables, and none is compared.
    const five = args.map((arg) => (arg === 'x86-64' ? 'x86-64-la57' : arg));
    expect((await speedJson([...small, ...five], { CC })).rows).toHaveLength(1);
  });

  it('ends the run if it fails', async () => {
    const CC = fakeCompiler(folder, 'echo "reference: a call was refused" >&2; exit 1');
    expect(await complaint(args, { CC })).toContain('the C reference failed: reference: a call was refused');
  });

  it('is not compared if its size differs', async () => {
    const CC = fakeCompiler(folder, line(63, 7));
    const { rows, compiler } = await speedJson([...small, ...args], { CC });
    expect(compiler).toMatch(/^a compiler that cannot .* -std=c11 -O3$/);
    expect(rows).toMatchObject([{ c: null, ratio: { wasm: null, array: null } }]);
  });

  it('gives a time and a ratio', async () => {
    const { checksum } = await measured(configurationOf('x86-64'), 'W1.fresh');
    const CC = fakeCompiler(folder, line(64, checksum));
    const [row] = (await speedJson([...small, ...args], { CC })).rows;
    expect(row?.c).toEqual({
      ...{ median: 10, min: 10, max: 10, mad: 0, standardError: 0 },
      ...{ samples: 6, loops: 'c' },
    });
    expect(row?.ratio.wasm).toBeCloseTo((row?.wasm?.median ?? 0) / 10, 2);
  });

  it.each([
    ['does-not-exist', /does-not-exist cannot be used \(there is no program does-not-exist\)/],
    [`${process.execPath} --not-an-option`, /cannot be used \(.*not-an-option/],
  ])('is left out if the compiler (%s) fails', async (CC, reason) => {
    const { rows, compiler, warnings } = await speedJson([...small, ...args], { CC });
    expect(compiler).toBeNull();
    expect(rows).toMatchObject([{ c: null }]);
    expect(warnings).toMatchObject([expect.stringMatching(reason)]);
  });
});
