import { PageTable } from '@vmarea/core';
import * as v from 'valibot';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { subject } from '../src/speed/measure.js';
import { capture } from './support/capture.js';
import { speedShape } from './support/shapes.js';
import { wide } from './support/wide.js';

afterEach(() => {
  vi.restoreAllMocks();
});

const quick = ['speed', '--pages', '3000', '--repeat', '7'];

async function json(args: readonly string[]) {
  const { code, out, err } = await capture([...quick, '--json', ...args]);
  expect(err).toBe('');
  expect(code).toBe(0);
  return v.parse(speedShape, JSON.parse(out));
}

describe('speed', () => {
  it('--json has the documented shape, exact work and one checksum', async () => {
    const result = await json([]);
    expect(result).toMatchObject({ pages: 3000, seed: 1, repeat: 7, warnings: [] });
    const x86 = result.rows.find((row) => row.configuration === 'x86-64');
    // 3000 pages lie in 6 last-level tables, which one table each of two more levels names, and a root.
    expect(x86?.map.work).toEqual({ tablesRead: 9, entriesWritten: 3000 + 8, tablesAllocated: 8 });
    expect(x86?.unmap.work).toMatchObject({ entriesWritten: 3000, tablesAllocated: 0 });
    expect(new Set(result.rows.map((row) => row.checksum)).size).toBe(1);
    for (const { map, translate, unmap } of result.rows) {
      for (const { ns } of [map, translate, unmap]) {
        expect(ns.min).toBeGreaterThanOrEqual(0);
        expect(ns.min).toBeLessThanOrEqual(ns.median);
        expect(ns.median).toBeLessThanOrEqual(ns.max);
      }
    }
  });

  it('does the same work for every page size, and other work for another seed', () => {
    const first = subject(wide, { pages: 1000, seed: 1 }).round();
    expect(subject(wide, { pages: 1000, seed: 1 }).round().checksum).toBe(first.checksum);
    expect(subject(wide, { pages: 1000, seed: 2 }).round().checksum).not.toBe(first.checksum);
    expect(first.map).toMatchObject({ entriesWritten: 1002, tablesAllocated: 2 });
  });

  it('the checksum does not depend on the format', async () => {
    const [row] = (await json(['--seed', '9'])).rows;
    expect(subject(wide, { pages: 3000, seed: 9 }).round().checksum).toBe(row?.checksum);
  });

  it('prints a table, the machine and the checksum', async () => {
    const { code, out } = await capture(quick, { columns: 100, tty: true, env: { NO_COLOR: '1' } });
    expect(code).toBe(0);
    expect(out).toContain('3,000 scattered base pages');
    expect(out).toMatch(/^Machine: .*Node v/m);
    expect(out).toMatch(/^format +page +operation +ns +min +max +MAD +read +written +tables$/m);
    expect(out).toMatch(/^x86-64 +4K +map +[\d.,]+ +[\d.,]+ +[\d.,]+ +[\d.,]+ +9 +3,008 +8$/m);
    expect(out).toMatch(/Seed 1\. Checksum of the translations: 0x[0-9a-f]{8}\./);
    expect(out.split('\n').filter((line) => line.length > 100 && !line.includes('Machine'))).toEqual([]);
  });

  it('says when the pages are too few to tell', async () => {
    expect((await capture([...quick, '--pages', '3'])).out).toContain('With so few pages');
    expect((await capture(quick)).out).not.toContain('With so few pages');
  });

  it('splits the table on a narrow terminal', async () => {
    const { out } = await capture(quick, { columns: 60, tty: true, env: { NO_COLOR: '1' } });
    expect(out.match(/^format.*$/gm)).toEqual([
      expect.stringMatching(/^format +page +operation +ns +min +max +MAD$/),
      expect.stringMatching(/^format +page +operation +read +written +tables$/),
    ]);
  });

  it.each([
    [['--pages', '0'], '--pages must be a whole number from 1 to 16777216'],
    [['--repeat', '3'], '--repeat must be a whole number from 7 to 1000'],
    [['--vmallocinfo', 'x'], "unknown option '--vmallocinfo'"],
  ])('refuses %j', async (args, message) => {
    const { code, err } = await capture(['speed', ...args]);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });

  it('refuses pages that do not fit the window', () => {
    const small = {
      ...wide.linux,
      window: { start: wide.linux.window.start, end: wide.linux.window.start + 655360n },
    };
    expect(() => subject({ ...wide, linux: small }, { pages: 11, seed: 1 })).toThrow(
      /the vmalloc window of wide-64k has no room/,
    );
    expect(subject({ ...wide, linux: small }, { pages: 10, seed: 1 }).round().map.entriesWritten).toBe(12);
  });
});

describe('the checks of speed see what they are for', () => {
  it('a wrong translation', () => {
    vi.spyOn(PageTable.prototype, 'translateWords').mockReturnValue(5);
    expect(() => subject(wide, { pages: 10, seed: 1 }).round()).toThrow(
      /^wide-64k: checksum -?\d+ instead of/,
    );
  });

  it('a mapping that stays', () => {
    vi.spyOn(PageTable.prototype, 'unmap').mockImplementation(() => {});
    expect(() => subject(wide, { pages: 10, seed: 1 }).round()).toThrow(/something mapped after unmap/);
  });

  it('tables that are not given back', () => {
    vi.spyOn(PageTable.prototype, 'destroy').mockImplementation(() => {});
    expect(() => subject(wide, { pages: 10, seed: 1 }).round()).toThrow(/3 table frames leaked$/);
  });

  it('rounds that differ', async () => {
    let calls = 0;
    const { unmap } = PageTable.prototype;
    vi.spyOn(PageTable.prototype, 'unmap').mockImplementation(function (this: PageTable, va, bytes) {
      unmap.call(this, va, bytes);
      if (++calls === 9) unmap.call(this, va, bytes);
    });
    const { code, out, err } = await capture([...quick, '--format', 'x86-64']);
    expect(code).toBe(1);
    expect(out).toBe('');
    expect(err).toMatch(/x86-64: equal rounds did different work/);
  });
});
