import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { MARKS, type RangeView } from '../../src/look/calls.js';
import type { Dump } from '../../src/look/dump.js';
import { CONFIGURATIONS } from '../../src/look/formats.js';
import { rangesAt } from '../../src/look/range-at.js';
import { hex } from '../../src/page/shared/text.js';
import { openBundled } from './open-bundled.js';

/** Rows that a program unrelated to vmarea found below a root: address, number, size, physical address, flags. */
function foundBySomebodyElse(name: string): [va: bigint, bytes: bigint, pa: bigint][] {
  const file = new URL(`../../../../packages/image/test/data/${name}.tsv.gz`, import.meta.url);
  return gunzipSync(readFileSync(file))
    .toString()
    .trim()
    .split('\n')
    .map((line) => {
      const [va = '', count = '', size = '', pa = ''] = line.split('\t');
      return [BigInt(`0x${va}`), BigInt(count) * BigInt(`0x${size}`), BigInt(`0x${pa}`)];
    });
}

async function rowsOf(dump: Dump): Promise<readonly RangeView[]> {
  const { counts, rows } = await dump.list({}, () => {});
  return rangesAt(rows, 0, counts.matches);
}

describe('a bundled table', () => {
  test.each([
    ['x86-64.kdump.gz', ['x86-64', 'x86-64', 'x86-64']],
    ['arm64-4k.kdump.gz', ['arm64-4k-48']],
    ['arm64-16k.ptimage.gz', ['arm64-16k-47', 'arm64-16k-47-ttbr0']],
    ['riscv64-sv39.kdump.gz', ['riscv64-sv39']],
  ])('%s opens, and its roots are believed', async (name, formats) => {
    const { info } = await openBundled(name);
    expect(info.roots.map(({ format }) => format)).toEqual(formats);
    expect(info.roots.every(({ isBelieved }) => isBelieved)).toBe(true);
  });

  test.each([
    ['arm64-4k.kdump.gz', 'arm64-4k.leaves.kernel'],
    ['riscv64-sv39.kdump.gz', 'riscv64-sv39.leaves.kernel'],
  ])('%s maps what another program found', async (name, leaves) => {
    const dump = await openBundled(name);
    dump.choose({ number: 1 }, CONFIGURATIONS);
    const rows = await rowsOf(dump);
    const mapped = (list: readonly (readonly [bigint, bigint, bigint])[]): string[] => {
      const runs: { va: bigint; bytes: bigint; pa: bigint }[] = [];
      for (const [va, bytes, pa] of [...list].sort(([one], [other]) => Number(one - other))) {
        const last = runs.at(-1);
        if (last !== undefined && last.va + last.bytes === va && last.pa + last.bytes === pa)
          last.bytes += bytes;
        else runs.push({ va, bytes, pa });
      }
      return runs.map(({ va, bytes, pa }) => `${hex(va)} ${bytes} ${hex(pa)}`);
    };
    expect(mapped(rows.map(({ va, bytes, pa }) => [va, bytes, pa]))).toEqual(
      mapped(foundBySomebodyElse(leaves)),
    );
  });
});

describe('a list of ranges', () => {
  test('keeps what a filter asks for', async () => {
    const dump = await openBundled('x86-64.kdump.gz');
    dump.choose({ number: 2 }, CONFIGURATIONS);
    const rows = (await rowsOf(dump)).filter(({ kind }) => kind === 'leaves');
    const filters = [
      { filter: { user: true }, keeps: ({ marks }: RangeView) => (marks & MARKS.user) !== 0 },
      {
        filter: { writable: true, executable: false },
        keeps: ({ marks }: RangeView) => (marks & (MARKS.write | MARKS.execute)) === MARKS.write,
      },
      { filter: { leafBytes: 2 ** 21 }, keeps: ({ leafBytes }: RangeView) => leafBytes === 2 ** 21 },
      {
        filter: { region: 'vmalloc', writable: true },
        keeps: ({ region, marks }: RangeView) => region === 'vmalloc' && (marks & MARKS.write) !== 0,
      },
    ];
    for (const { filter, keeps } of filters) {
      const { counts, rows: columns } = await dump.list(filter, () => {});
      const kept = rangesAt(columns, 0, counts.matches);
      expect(kept).toEqual(rows.filter(keeps));
      expect(kept.length).toBeGreaterThan(0);
      expect(kept.length).toBeLessThan(rows.length);
      expect(counts.bytes).toBe(kept.reduce((sum, row) => sum + row.bytes, 0n));
    }
    expect((await dump.list({ region: 'no such region' }, () => {})).counts.matches).toBe(0);
  });

  test('gives a window of its rows', async () => {
    const dump = await openBundled('riscv64-sv39.kdump.gz');
    dump.choose({ number: 1 }, CONFIGURATIONS);
    const rows = await rowsOf(dump);
    const { rows: columns } = await dump.list({}, () => {});
    expect(rangesAt(columns, 50, 7)).toEqual(rows.slice(50, 57));
    expect(rangesAt(columns, rows.length - 2, 10)).toEqual(rows.slice(-2));
  });
});

describe('a root', () => {
  test('is named by its address and format, too', async () => {
    const dump = await openBundled('x86-64.kdump.gz');
    const view = dump.choose({ root: 0x533c000n, format: 'x86-64' }, CONFIGURATIONS);
    expect([view.format, view.root, view.first]).toEqual(['x86-64', 0x533c000n, 0x400000n]);
    expect(dump.choose({ root: 0x533c000n, format: null }, CONFIGURATIONS).root).toBe(0x533c000n);
    expect(() => dump.choose({ root: 0x533c000n, format: 'x86-32' }, CONFIGURATIONS)).toThrow(
      /^EINVAL.*x86-32/,
    );
  });

  test('of a kernel begins at its text', async () => {
    const dump = await openBundled('x86-64.kdump.gz');
    const { first } = dump.choose({ number: 1 }, CONFIGURATIONS);
    expect(first >= 0xffffffff80000000n).toBe(true);
  });

  test('has its processes beside it', async () => {
    const dump = await openBundled('x86-64.kdump.gz');
    const roots = dump.processes().map(({ root }) => root);
    expect(roots).toContain(0x533c000n);
    expect(roots.length).toBeGreaterThanOrEqual(4);
  });
});

test('a file that is no dump is refused with the reason', async () => {
  const { Dump: Opened } = await import('../../src/look/dump.js');
  const packed = new Blob([new TextEncoder().encode('no dump')])
    .stream()
    .pipeThrough(new CompressionStream('gzip'));
  const files = [await new Response(packed).blob()];
  await expect(Opened.open({ name: 'x', files, isPacked: true, rawFrom: null }, () => {})).rejects.toThrow(
    /^EINVAL/,
  );
});
