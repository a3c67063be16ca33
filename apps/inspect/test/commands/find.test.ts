import { describe, expect, test } from 'vitest';
import { capture, rowsOf } from '../support/capture.js';
import { ARM64, dumpOf, RISCV64, truthOf, X86 } from '../support/dumps.js';

const PAGE = 4096n;

/** Pages that rows of JSON map. */
function pages(rows: readonly Record<string, unknown>[]): string[] {
  return rows.flatMap(({ va, bytes }) => {
    const first = BigInt(va as string);
    return Array.from({ length: Number(BigInt(bytes as string) / PAGE) }, (_, i) =>
      (first + BigInt(i) * PAGE).toString(16),
    );
  });
}

describe('find', () => {
  /** riscv64's tables forbid nothing, so that a leaf's own bits decide: R 1, W 2, X 3, U 4, G 5, A 6, D 7. */
  test.each([
    [['--writable', '--executable'], (flags: bigint) => (flags & 12n) === 12n],
    [['--executable', '--not', 'writable'], (flags: bigint) => (flags & 12n) === 8n],
    [['--writable', '--not', 'dirty,executable'], (flags: bigint) => (flags & 0x8cn) === 4n],
    [['--kernel', '--executable', '--global'], (flags: bigint) => (flags & 0x38n) === 0x28n],
    [['--user', '--readable', '--accessed'], (flags: bigint) => (flags & 0x52n) === 0x52n],
    [['--memory', 'write-combining'], (flags: bigint) => flags >> 61n === 1n],
  ])('%j finds the same pages as the bits of all leaves', async (filters, matches) => {
    const set = RISCV64;
    const rows = await rowsOf(['find', dumpOf(set), ...(set.roots.target ?? []), ...filters]);
    const truth = truthOf(set, 'target')
      .filter(({ flags }) => matches(flags))
      .flatMap(({ va, count, size }) =>
        Array.from({ length: Number((BigInt(count) * size) / PAGE) }, (_, i) =>
          (va + BigInt(i) * PAGE).toString(16),
        ),
      );
    expect(pages(rows)).toEqual(truth);
  });

  test('finds who maps frames', async () => {
    const file = dumpOf(X86);
    const wanted = 0x2c22000n;
    const rows = await rowsOf(['find', file, '--physical', `${wanted.toString(16)}+8192`]);
    const truth = truthOf(X86, 'kernel').flatMap(({ va, count, size, pa }) => {
      const bytes = BigInt(count) * size;
      const first = pa > wanted ? pa : wanted;
      const end = pa + bytes < wanted + 8192n ? pa + bytes : wanted + 8192n;
      return first < end ? [`${(va + first - pa).toString(16)} ${first.toString(16)} ${end - first}`] : [];
    });
    expect(truth.length).toBe(2);
    const text = rows.map(({ va, pa, bytes }) =>
      [BigInt(va as string).toString(16), BigInt(pa as string).toString(16), BigInt(bytes as string)].join(
        ' ',
      ),
    );
    expect(text).toEqual(truth);
    expect(rows.every(({ isPart }) => isPart === true)).toBe(true);
  });

  test('finds a page that thousands of addresses map, at each of them', async () => {
    const stacks = truthOf(X86, 'kernel').filter(({ va }) => va >> 39n === 0xffffff00n >> 7n);
    const frame = stacks[0]?.pa ?? 0n;
    const same = stacks.filter(({ pa }) => pa === frame);
    expect(same.length).toBeGreaterThan(1000);
    const rows = await rowsOf([
      'find',
      dumpOf(X86),
      '--physical',
      frame.toString(16),
      '--va',
      'ffffff0000000000-ffffff7fffffffff',
    ]);
    expect(pages(rows)).toEqual(same.map(({ va }) => va.toString(16)));
  });

  test('takes all filters together', async () => {
    const rows = await rowsOf([
      'find',
      dumpOf(ARM64),
      '--region',
      'vmalloc',
      '--executable',
      '--size',
      '4K',
      '--kernel',
    ]);
    expect(rows.length).toBeGreaterThan(0);
    for (const { region, rights, leafBytes } of rows) {
      expect(region).toBe('vmalloc');
      expect(rights).toMatchObject({ execute: true, user: false });
      expect(leafBytes).toBe('0x0000000000001000');
    }
  });

  test.each([
    [[], 'nothing is looked for: give a filter'],
    [['--writable', '--not', 'writable'], 'writable is asked for and refused'],
    [['--user', '--kernel'], '--user and --kernel: no page belongs to both; leave one out'],
    [['--size', '64K'], "--size is '64K', and no leaf of riscv64-sv39 has that size; expected 4K, 2M, 1G"],
    [['--not', 'wirtable'], "unknown name in --not 'wirtable'\nDid you mean writable?"],
    [['--region', 'vmaloc'], "unknown region 'vmaloc'\nDid you mean vmalloc?"],
    [['--memory', 'divice'], "unknown memory type 'divice'\nDid you mean device?"],
    [['--size', '2X'], "--size is '2X'; expected a number of bytes"],
    [['--physical', 'x'], "--physical is 'x', which is no address"],
    [['--va', '2000-1000'], "--va is '2000-1000', which ends before it begins"],
  ])('refuses %j with what to do', async (filters, message) => {
    const { code, out, err } = await capture(['find', dumpOf(RISCV64), ...filters]);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toContain(message);
  });
});
