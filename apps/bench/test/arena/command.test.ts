import { readFileSync } from 'node:fs';
import { Arena } from '@vmarea/arena';
import { AddressSpace, FrameAllocator } from '@vmarea/core';
import { Interpreter } from '@vmarea/ebpf';
import * as v from 'valibot';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Bed } from '../../src/arena/bed.js';
import { arenaShape } from '../support/arena-shape.js';
import { type Bundle, bundleApp } from '../support/bundle.js';
import { capture } from '../support/capture.js';
import { pathOf } from '../support/files.js';
import { HANG } from '../support/real-process.js';

afterEach(() => {
  vi.restoreAllMocks();
});

const MEASURES = [
  ...['zero', 'alloc', 'alloc-256', 'alloc-1024', 'fault', 'fault-mapped'],
  ...['free', 'free-mapped', 'free-256', 'free-1024', 'load', 'store'],
];
const FORMATS = ['x86-64', 'arm64-16k-47', 'arm64-64k-48', 'riscv64-sv39'];

async function json(args: readonly string[], script?: string) {
  const { code, out, err } = await capture(
    ['arena', '--json', ...args],
    script === undefined ? {} : { script },
  );
  expect(err).toBe('');
  expect(code).toBe(0);
  return v.parse(arenaShape, JSON.parse(out));
}

describe('arena --json', () => {
  let known: ReturnType<typeof json> | undefined;
  /** A quick run, which several tests look at. */
  const quickRun = () => (known ??= json(['--quick', '--format', FORMATS.join(), '--seed', '5']));

  it('prints one object of the documented shape, without times in a quick run', async () => {
    const result = await quickRun();
    expect(result).toMatchObject({ seed: 5, repeat: 2, warmUp: 1, warmUpMs: 0, quick: true, warnings: [] });
    expect(result.formats.map(({ configuration }) => configuration)).toEqual(FORMATS);
    for (const { rows, programs, leakCheck } of result.formats) {
      expect(rows.map(({ measure }) => measure)).toEqual(MEASURES);
      for (const row of rows) expect([row.ns, row.beyondZeroing]).toEqual([null, null]);
      for (const { millions } of programs) expect(millions).toBeNull();
      expect(leakCheck.tables.after).toBe(leakCheck.tables.before);
      expect(leakCheck.pages.after).toBe(leakCheck.pages.before);
    }
  });

  it('times every kind of call, and shows those that zero pages also without that', async () => {
    const [format] = (await json(['--format', 'x86-64', '--repeat', '3', '--warm-up', '0'])).formats;
    for (const { measure, unit, units, pagesPerCall, ns, beyondZeroing } of format?.rows ?? []) {
      expect(ns?.min).toBeGreaterThan(0);
      expect(ns?.min).toBeLessThanOrEqual(ns?.median ?? -1);
      expect(ns?.median).toBeLessThanOrEqual(ns?.max ?? -1);
      expect(beyondZeroing !== null).toBe(/^(alloc|fault$)/.test(measure));
      expect(unit).toBe(measure === 'load' || measure === 'store' ? 'access' : 'page');
      expect(pagesPerCall).toBe(Number(/\d+$/.exec(measure)?.[0] ?? 1));
      expect(units % pagesPerCall).toBe(0);
    }
    const zero = format?.rows[0]?.ns;
    for (const { ns, beyondZeroing } of format?.rows ?? [])
      if (beyondZeroing !== null) {
        expect(beyondZeroing.min).toBeGreaterThanOrEqual((ns?.min ?? 0) - (zero?.max ?? 0) - 0.01);
        expect(beyondZeroing.max).toBeLessThanOrEqual((ns?.max ?? 0) - (zero?.min ?? 0) + 0.01);
      }
    // fill made the same list: a walk of 25,000 elements has 8 and 9 instructions for each.
    expect(format?.programs.map(({ program, elements }) => [program, elements])).toEqual([
      ['sum', 25_000],
      ['reverse', 25_000],
    ]);
    for (const { instructions, elements, millions } of format?.programs ?? []) {
      expect(instructions).toBeGreaterThan(5 * elements);
      expect(instructions).toBeLessThan(20 * elements);
      expect(millions?.min).toBeGreaterThan(0);
    }
  });

  it('counts the tables of sparse use exactly', async () => {
    const { formats } = await quickRun();
    // Tables below the root: a process touches every 512th page of 4 GiB from 4 GiB on. x86-64: 2,048 PTE tables, 4 PMD, 1 PUD.
    // arm64 with 16 KiB: 128 tables of 32 MiB, 1 above them. With 64 KiB: 8 of 512 MiB, and at 48 bits 1 above. sv39: 2,048 and 4.
    expect(
      formats.map(({ sparse, pageBytes }) => [sparse.every, sparse.pages, sparse.processBytes / pageBytes]),
    ).toEqual([
      [512, 2048, 2053],
      [512, 512, 129],
      [512, 128, 9],
      [512, 2048, 2052],
    ]);
    // The window has the same tables, and some for its guards and where it crosses an entry of a table.
    for (const { sparse, pageBytes } of formats) {
      expect(sparse.preparedBytes).toBeGreaterThanOrEqual(sparse.neededBytes);
      expect((sparse.preparedBytes - sparse.neededBytes) / pageBytes).toBeLessThanOrEqual(3);
      expect(Math.abs(sparse.neededBytes - sparse.processBytes) / pageBytes).toBeLessThanOrEqual(3);
    }
  });

  it('has the same counts in every run', async () => {
    const { formats } = await json(['--quick', '--format', 'x86-64,arm64-16k-47', '--seed', '5']);
    expect(formats).toEqual((await quickRun()).formats.slice(0, 2));
  });

  describe('in a new process for each format', () => {
    let app: Bundle;
    beforeAll(() => {
      app = bundleApp();
    }, HANG);
    afterAll(() => app.remove());

    it(
      'gives the same counts',
      async () => {
        const names = ['x86-64', 'riscv64-sv39'];
        const { formats, ...rest } = await json(
          ['--quick', '--seed', '5', '--format', names.join()],
          app.cli,
        );
        const { formats: others, ...same } = await quickRun();
        expect(rest).toEqual(same);
        expect(formats).toEqual(others.filter(({ configuration }) => names.includes(configuration)));
      },
      HANG,
    );
  });
});

describe('arena as text', () => {
  it('prints a table of calls, of sparse tables and of programs', async () => {
    const args = ['arena', '--format', 'x86-64', '--repeat', '1', '--warm-up', '0'];
    const { code, out, err } = await capture(args);
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(out).toMatch(/^format +measure +ns +beyond zeroing +min +MAD +units +pages\/call$/m);
    for (const measure of MEASURES) expect(out).toMatch(new RegExp(`^x86-64 +${measure} +[\\d.,]+ `, 'm'));
    expect(out).toMatch(/^format +sparse pages +prepared KiB +needed KiB +process KiB$/m);
    expect(out).toMatch(/^x86-64 +2,048 +[\d,]+ +[\d,]+ +8,212$/m);
    expect(out).toMatch(/^x86-64 +reverse +[\d.]+ +[\d.]+ +0.0 +25,000 +[\d,]+$/m);
    expect(out).toContain('Leaked: 0 pages, 0 table frames.');
  });

  it('shows no time in a quick run, also in Markdown', async () => {
    const { code, out } = await capture(['arena', '--quick', '--markdown', '--format', 'x86-64']);
    expect(code).toBe(0);
    expect(out).toContain('| format | measure | units | pages/call |');
    expect(out).toContain('| x86-64 | alloc-1024 | 1,024 | 1,024 |');
    expect(out).toContain('A quick run checks');
    expect(out).not.toMatch(/beyond zeroing|million\/s/);
  });

  it('has one format of each architecture and page size by default', async () => {
    const { code, out } = await capture(['arena', '--quick']);
    expect(code).toBe(0);
    const sparse = out.split('sparse pages')[1]?.split('program')[0] ?? '';
    const names = [...sparse.matchAll(/^([a-z]\S+) +[\d,]+ /gm)].map(([, name]) => name);
    expect(names.map((name) => name?.split('-').slice(0, 2).join('-')).sort()).toEqual([
      ...['arm64-16k', 'arm64-4k', 'arm64-64k', 'riscv64-sv39', 'x86-64'],
    ]);
  });
});

describe('arena', () => {
  it.each([
    [['--repeat', '0'], '--repeat must be a whole number from 1 to 1000'],
    [['--repeat', 'x'], '--repeat must be'],
    [['--seed', '-1'], '--seed must be'],
    [['--warm-up', '60001'], '--warm-up must be a whole number from 0 to 60000'],
    [['--format', 'x86'], "unknown format 'x86'"],
    [['--json', '--markdown'], '--json and --markdown exclude each other'],
    [['--quik'], "unknown option '--quik'\nDid you mean --quick?"],
    [['--quick=yes'], '--quick takes no value'],
    [['x86-64'], "unexpected argument 'x86-64'"],
  ])('refuses %j', async (args, message) => {
    const { code, out, err } = await capture(['arena', ...args]);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toContain(message);
  });

  it('has the object of the interpreter’s package', () => {
    const own = readFileSync(pathOf('data/list.bpf.o'));
    expect(own.equals(readFileSync(pathOf('../../packages/ebpf/programs/list.bpf.o')))).toBe(true);
  });
});

describe('the checks find', () => {
  const fails = async (message: string) => {
    const { code, out, err } = await capture(['arena', '--quick', '--format', 'x86-64']);
    expect(out).toBe('');
    expect(code).toBe(1);
    expect(err).toContain(message);
  };
  /** Replaces one call of a method, counted from 1. */
  const breakCall = <T extends object>(
    prototype: T,
    method: keyof T & string,
    at: number,
    result: unknown,
  ) => {
    const real = prototype[method] as (...args: unknown[]) => unknown;
    let calls = 0;
    vi.spyOn(prototype as Record<string, () => unknown>, method).mockImplementation(function (
      this: unknown,
      ...args: unknown[]
    ) {
      return ++calls === at ? result : real.apply(this, args);
    });
  };
  /** Replaces one access of a view. */
  const breakView = (method: 'store32' | 'loadSigned32', result: unknown) => {
    const { view } = Arena.prototype;
    vi.spyOn(Arena.prototype, 'view').mockImplementation(function (this: Arena, options) {
      const made = view.call(this, options);
      breakCall(made, method, 5, result);
      return made;
    });
  };

  it('a page that is not freed', async () => {
    breakCall(Arena.prototype, 'freePages', 1500, 'freed');
    await fails('x86-64, free: memUsage: 4096, expected 0');
  });

  it('an address that is given out twice', async () => {
    const real = Arena.prototype.allocPages;
    let calls = 0;
    vi.spyOn(Arena.prototype, 'allocPages').mockImplementation(function (this: Arena, hint, count, ...more) {
      const found = real.call(this, hint, count, ...more);
      return hint === null && count === 1 && ++calls === 700 && found !== null ? found - 4096n : found;
    });
    await fails('x86-64, alloc: an address: ');
  });

  it('a page that is not zeroed', async () => {
    const { soil } = Bed.prototype;
    const { fill } = Int32Array.prototype;
    let rounds = 0;
    let isDue = false;
    vi.spyOn(Bed.prototype, 'soil').mockImplementation(function (this: Bed) {
      soil.call(this);
      // The first one is for the zeroing by itself.
      isDue = ++rounds === 2;
    });
    vi.spyOn(Int32Array.prototype, 'fill').mockImplementation(function (this: Int32Array, ...args) {
      if (!isDue) return fill.apply(this, args);
      isDue = false;
      return this;
    });
    await fails('x86-64, alloc: pages that were zeroed: 1023, expected 1024');
  });

  it('a store that is lost', async () => {
    breakView('store32', undefined);
    await fails('x86-64, store: words that were not stored: ');
  });

  it('a load that is wrong', async () => {
    breakView('loadSigned32', 1);
    await fails('x86-64, load: the sum: ');
  });

  it('a program that does not run', async () => {
    breakCall(Interpreter.prototype, 'run', 3, { value: 0n, instructions: 1 });
    await fails('x86-64, sum: instructions: ');
  });

  it('a page that leaks', async () => {
    const real = FrameAllocator.prototype.freeMany;
    vi.spyOn(FrameAllocator.prototype, 'freeMany').mockImplementation(function (
      this: FrameAllocator,
      frames,
    ) {
      real.call(this, frames);
      if (frames.length === 1024) this.allocate();
    });
    await fails('expected');
  });

  it('tables that leak', async () => {
    // Those of the kernel of the list, which is the last one.
    breakCall(AddressSpace.prototype, 'destroy', 5, undefined);
    await fails('x86-64: tables leaked: 0 allocated before the run, ');
  });
});
