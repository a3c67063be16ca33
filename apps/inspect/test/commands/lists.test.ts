import { describe, expect, test } from 'vitest';
import { capture, rowsOf } from '../support/capture.js';
import {
  ARM64,
  asTruth,
  differences,
  dumpOf,
  merged,
  RISCV64,
  SETS,
  truthOf,
  X86,
} from '../support/dumps.js';

const cases = SETS.flatMap((set) => Object.keys(set.roots).map((root) => ({ set, root, name: set.name })));

describe('leaves', () => {
  test.each(cases)(
    'lists every leaf of the root $root of $name, as another program has found it',
    async ({ set, root }) => {
      const rows = await rowsOf(['leaves', dumpOf(set), ...(set.roots[root] ?? [])]);
      expect(differences(asTruth(rows), merged(truthOf(set, root)))).toEqual([]);
    },
  );

  test('lists only the pages of a range', async () => {
    const rows = await rowsOf(['leaves', dumpOf(X86), '--root', 'user', '--va', '401fff-402000']);
    expect(rows.map(({ va, bytes, pa }) => [va, bytes, pa])).toEqual([
      ['0x0000000000401000', '0x0000000000001000', '0x000000000372b000'],
      ['0x0000000000402000', '0x0000000000001000', '0x0000000003c11000'],
    ]);
  });

  test('names a table that is met again where it is asked to', async () => {
    const file = dumpOf(X86);
    const rows = await rowsOf(['leaves', file, '--again', 'name']);
    const again = rows.filter(({ kind }) => kind === 'again');
    expect(again.length).toBeGreaterThan(0);
    for (const { pa, listedAt } of again.slice(0, 20)) {
      const [there] = await rowsOf(['walk', file, String(listedAt)]);
      const { entries } = there as unknown as { entries: { entry: string }[] };
      expect(entries.map(({ entry }) => BigInt(entry) & 0xffffffffff000n)).toContain(BigInt(pa as string));
    }
  });

  test('says the title of the root, and one line for each run', async () => {
    const { out, code } = await capture(['leaves', dumpOf(RISCV64), '--va', 'ffffffff80000000+2M']);
    expect(code).toBe(0);
    expect(out).toBe(
      [
        '# riscv64-sv39, root 0x0000000081fcb000, from SYMBOL(swapper_pg_dir) - NUMBER(va_kernel_pa_offset), of VMCOREINFO in a note of the dump',
        '0xffffffff80000000-0xffffffff801fffff        2M  PMD  1 x 2M          r-x k  gad  normal           0x0000000080200000  kernel text',
        '',
      ].join('\n'),
    );
  });
});

describe('dump', () => {
  /** Each page of the truth by address, with its rights as the format says: the judge shares no code with the merge. */
  test.each(cases)('maps the same bytes as the leaves of the root $root of $name', async ({ set, root }) => {
    const rows = await rowsOf(['dump', dumpOf(set), '--again', 'list', ...(set.roots[root] ?? [])]);
    let end = -1n;
    let bytes = 0n;
    // Thousands of rows: one look at those that are wrong.
    const wrong = rows.filter((row) => {
      const va = BigInt(row.va as string);
      const isBehind = va > end;
      const length = BigInt(row.bytes as string);
      end = va + length - 1n;
      bytes += length;
      const sizes = row.sizes as { bytes: string }[];
      return !isBehind || sizes.reduce((sum, one) => sum + BigInt(one.bytes), 0n) !== length;
    });
    expect(wrong).toEqual([]);
    const truth = truthOf(set, root).reduce((sum, { count, size }) => sum + BigInt(count) * size, 0n);
    expect(bytes).toBe(truth);
  });

  test('names the regions of a kernel whose addresses are random', async () => {
    const rows = await rowsOf(['dump', dumpOf(X86)]);
    const names = new Map(rows.map(({ region, va }) => [region, va]));
    expect([...names.keys()]).toEqual(
      [
        'direct map',
        'vmalloc',
        'vmemmap',
        'cpu entry area',
        'esp fixup stacks',
        'kernel text',
        'modules',
        'fixmap',
      ].filter((name) => names.has(name)),
    );
    const first = (name: string): unknown => rows.find(({ region }) => region === name)?.va;
    // page_offset_base, vmalloc_base and vmemmap_base of this boot.
    expect(first('direct map')).toBe('0xffff8d3f00000000');
    expect(first('vmalloc')).toBe('0xffffd466c0000000');
    expect(first('vmemmap')).toBe('0xfffffae640000000');
  });

  test("names arm64's kernel, which is in the middle of vmalloc", async () => {
    const rows = await rowsOf(['dump', dumpOf(ARM64)]);
    const text = rows.filter(({ region }) => region === 'kernel text');
    expect(text.map(({ va }) => va)).toContain('0xffffc51304610000');
    for (const { va, pa } of text)
      expect(BigInt(va as string) - BigInt(pa as string)).toBe(0xffffc512c4400000n);
    expect(rows.find(({ region }) => region === 'direct map')?.va).toBe('0xffff000000000000');
  });

  test('has colours on a terminal alone', async () => {
    const args = ['dump', dumpOf(RISCV64)];
    expect((await capture(args, { tty: true })).out).toContain('\u001b[');
    expect((await capture(args)).out).not.toContain('\u001b');
    expect((await capture(args, { tty: true, env: { NO_COLOR: '1' } })).out).not.toContain('\u001b');
  });
});

describe('--va', () => {
  test.each([
    ['leaves', []],
    ['dump', []],
    ['find', ['--user']],
    ['diff', ['--root', '0x830da000', '--other-root', 'kernel']],
  ])('takes all addresses as everything in %s', async (command, more) => {
    const args = [command, dumpOf(RISCV64), ...more];
    const all = await capture([...args, '--va', '0-ffffffffffffffff']);
    expect(all).toEqual(await capture(args));
    expect(all.code).toBe(0);
  });

  test.each([
    ['leaves', []],
    ['dump', []],
    ['find', []],
    ['find', ['--physical', '0x80000000']],
    ['diff', ['--other-root', 'kernel']],
  ])('is refused by %s before anything is printed', async (command, more) => {
    const { code, out, err } = await capture([
      ...[command, dumpOf(X86), ...more],
      ...['--va', '1000-ffff800000000000'],
    ]);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain('cross the hole between the canonical halves');
  });
});
