import { VmError } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { type CompareLayoutOptions, compareLayout, readAreas } from '../src/compare-layout.js';
import { pageSizeText } from '../src/page-size-text.js';
import { ARM64_16K_GUEST, configurationOf, textOf, X86_GUEST } from './support/files.js';

const formats = ['x86-64', 'arm64-4k-48', 'arm64-16k-47', 'arm64-64k-48'].map(configurationOf);
const text = textOf(X86_GUEST);

/** Bytes that rounding adds, from the lines alone: pages of vmalloc, and sizes of vmap and DMA without a guard. */
function roundingOf(pageBytes: number): number {
  return text.split('\n').reduce((sum, line) => {
    const pages = / pages=(\d+)/.exec(line)?.[1];
    const size = Number(/ +(\d+) /.exec(line)?.[1]);
    const bytes = pages !== undefined ? 4096 * Number(pages) : / vmap/.test(line) ? size - 4096 : 0;
    return sum + Math.ceil(bytes / pageBytes) * pageBytes - bytes;
  }, 0);
}

describe('compareLayout', () => {
  test('gives a row for each format and policy, as plain data', async () => {
    const result = await compareLayout(text, { formats, name: 'guest.txt' });
    expect(result.rows.map(({ configuration, leafPolicy }) => `${configuration} ${leafPolicy}`)).toEqual(
      formats.flatMap(({ name }) => [`${name} base`, `${name} huge`]),
    );
    expect(structuredClone(result)).toEqual(result);
    expect(result).toMatchObject({ name: 'guest.txt', warnings: [], input: { lines: 163, pageBytes: 4096 } });
    for (const row of result.rows) {
      expect(row.rounding.bytes).toBe(roundingOf(row.pageBytes));
      expect(row.times).toEqual({ nsPerPage: [], nsPerWalk: [] });
      expect(row.places).toHaveLength(row.areas.placed);
      for (const { address, bytes } of row.places) {
        expect(address).toBeGreaterThanOrEqual(row.window.start);
        expect(address + BigInt(bytes)).toBeLessThanOrEqual(row.window.end);
      }
    }
    const [x86] = result.rows;
    expect(x86?.tables).toMatchObject({ frames: 140, bytes: 140 * 4096 });
    const cost = x86?.callers.find(({ caller }) => caller === 'pci_mmcfg_arch_init');
    // 256 MiB of PCI configuration space, by a table of 4 KiB for each 2 MiB.
    expect(cost).toMatchObject({ kinds: ['ioremap'], areas: 1, memoryBytes: 0, deviceBytes: 2 ** 28 });
    expect(x86?.callers[0]).toBe(cost);
  });

  test('times rounds by the clock of its caller, and tells it how far it is', async () => {
    let clock = 0;
    const told: [number, number, string][] = [];
    const { rows } = await compareLayout(textOf(ARM64_16K_GUEST), {
      formats: [configurationOf('arm64-16k-47')],
      policies: ['huge'],
      rounds: 3,
      now: () => clock++,
      progress: (...far) => {
        told.push(far);
      },
    });
    expect(rows[0]?.times.nsPerPage).toHaveLength(3);
    expect(rows[0]?.times.nsPerWalk).toEqual(Array(3).fill(1e6 / (rows[0]?.walk.addresses ?? 0)));
    const done = told.map(([pages]) => pages);
    expect(done).toEqual([...done].sort((a, b) => a - b));
    expect(done.at(-1)).toBeLessThanOrEqual(told[0]?.[1] ?? 0);
    expect(new Set(told.map(([, , what]) => what))).toEqual(new Set(['arm64-16k-47, huge leaves']));
  });

  test('ends with the error of its progress', async () => {
    const progress = () => {
      throw new Error('enough');
    };
    await expect(compareLayout(text, { formats, progress })).rejects.toThrow(/^enough$/);
  });

  test.each<[string, unknown, RegExp]>([
    ['no format', { formats: [] }, /^EINVAL: formats must be an array of at least one configuration/],
    ['what is no format', { formats: [{}] }, /^EINVAL: formats\[0\] is no configuration/],
    ['an unknown policy', { formats, policies: ['large'] }, /^EINVAL: policies is 'large', expected/],
    ['no policy', { formats, policies: [] }, /^EINVAL: policies must be/],
    [
      'an unknown option',
      { formats, format: 1 },
      /^EINVAL: compareLayout\(\) has no option `format`; did you mean `formats`/,
    ],
    ['an odd page size', { formats, pageSize: 5000 }, /^EINVAL: pageSize is 5000/],
    ['a clock that is none', { formats, now: 5 }, /^EINVAL: now is number, expected a function/],
    ['no round', { formats, rounds: 0 }, /^EINVAL: rounds is 0/],
    [
      'a small limit',
      { formats, limit: 4096 },
      /^E2BIG: vmallocinfo:\d+: an area of 256 MiB is too large for x86-64/,
    ],
  ])('refuses %s', async (_, options, message) => {
    const run = compareLayout(text, options as CompareLayoutOptions);
    await expect(run).rejects.toThrow(VmError);
    await expect(run).rejects.toThrow(message);
  });

  test('refuses other text with its line and column, or passes over bad lines', async () => {
    const bad = `0x0-0x0 8192 pages=1 vmalloc\nhello\n`;
    expect(() => readAreas(bad, { name: 'areas.txt' })).toThrow(/^EINVAL: areas\.txt:2:1: /);
    const { summary, requests } = readAreas(bad, { skipBad: true });
    expect(summary.skipped).toMatchObject({ lines: 1, first: [{ line: 2, column: 1 }] });
    expect(requests).toHaveLength(1);
    expect(() => readAreas('hello\n', { skipBad: true })).toThrow(/^EINVAL: none of 1 lines can be read/);
    expect(() => readAreas('', { skipBad: true })).toThrow(/^EINVAL: none of 0 lines can be read/);
  });
});

describe('pageSizeText', () => {
  const line = '0x0-0x0 8192 f+0x1/0x2 pages=1 vmalloc\n';
  const said = async (names: string[], input = line) =>
    pageSizeText(await compareLayout(input, { formats: names.map(configurationOf), policies: ['base'] }));

  test('compares each other page size with the most similar format of the source’s', async () => {
    expect(await said(['x86-64', 'arm64-4k-48', 'arm64-16k-47'])).toBe(
      'On 16K pages (arm64-16k-47), these areas take 44 KiB more memory than on 4K pages (arm64-4k-48): ' +
        '12 KiB more for sizes that are rounded up, 32 KiB more for page tables. A walk reads 3.00 entries instead of 4.00.',
    );
  });

  test('says what is not known of smaller pages', async () => {
    const wide = '0x0-0x0 131072 f+0x1/0x2 pages=1 vmalloc\n';
    expect(await said(['arm64-4k-48', 'arm64-64k-48'], wide)).toBe(
      'On 4K pages (arm64-4k-48), these areas take 176 KiB less memory than on 64K pages (arm64-64k-48): ' +
        'the same for sizes that are rounded up, 176 KiB less for page tables. A walk reads 4.00 entries instead of 3.00. ' +
        'The source rounded all sizes up to 64K, so what smaller pages save is not in this.',
    );
  });

  test('says why nothing can be compared', async () => {
    expect(await said(['x86-64'])).toBe('All formats here have pages of 4K.');
    expect(await said(['arm64-16k-47'])).toBe('No format here has the source’s pages of 4K.');
  });
});
