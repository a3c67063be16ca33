import { describe, expect, test } from 'vitest';
import { TouchedPages } from '../../src/accesses/touched-pages.js';
import { random } from '../../src/index.js';

/** Pages near each other and far from each other, also at the top of the address space. */
function somePages(): bigint[] {
  const source = random(7);
  const bases = [0x400000n, 0x7f0000000000n, 0xffff800000000000n, 0xffffffffffe00000n];
  return Array.from({ length: 20_000 }, () => {
    const base = bases[source.next(bases.length)] as bigint;
    return BigInt.asUintN(64, base + BigInt(source.next(0x20000) * source.next(400))) & -4096n;
  });
}

describe('the touched pages', () => {
  const pages = somePages();
  const touched = new TouchedPages();
  for (const page of pages) touched.add(Number(page >> 32n), Number(page & 0xffffffffn));

  test('are those that were added', () => {
    const known = new Set(pages);
    for (const page of pages) {
      for (const one of [page, BigInt.asUintN(64, page + 4096n)])
        expect(touched.has(Number(one >> 32n), Number(one & 0xffffffffn))).toBe(known.has(one));
    }
  });

  test.each([12, 14, 16])('are counted in pages of 2^%i bytes', (shift) => {
    expect(touched.count(shift)).toBe(new Set(pages.map((page) => page >> BigInt(shift))).size);
  });

  test.each([
    [16, 12],
    [17, 12],
    [17, 14],
    [21, 12],
    [21, 16],
    [25, 14],
    [29, 16],
  ])('are counted in blocks of 2^%i bytes, in pages of 2^%i', (block, shift) => {
    const page = pages[3] as bigint;
    for (const one of [page, 0xffffffffffe00000n]) {
      const first = (one >> BigInt(block)) << BigInt(block);
      const inBlock = pages.filter((other) => other >> BigInt(block) === one >> BigInt(block));
      const expected = new Set(inBlock.map((other) => other >> BigInt(shift))).size;
      expect(touched.countBlock(Number(first), block, shift)).toBe(expected);
    }
  });

  test('has its parts of 2 MiB in order', () => {
    const parts = [...new Set(pages.map((page) => Number(page >> 21n)))].sort((a, b) => a - b);
    expect([...touched.numbers()]).toEqual(parts);
  });
});
