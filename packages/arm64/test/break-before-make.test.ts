import { words } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { arm64, LINUX_MAIR_MTE } from '../src/index.js';

const format = arm64({ granule: 4, vaBits: 48 });
const PAGE = 0x00e8000012345f03n;
const PTE = 3;
const PMD = 2;

const breaks = (before: bigint, after: bigint, level = PTE, of = format) =>
  of.needsBreak(words(before), words(after), level);

describe('a page', () => {
  test.each([
    ['AP[1]', 0x40n],
    ['AP[2]', 0x80n],
    ['AF', 0x400n],
    ['GP', 1n << 50n],
    ['DBM', 1n << 51n],
    ['PXN', 1n << 53n],
    ['UXN', 1n << 54n],
    ['bit 55', 1n << 55n],
    ['bit 58', 1n << 58n],
    ['the overlay index', 5n << 60n],
  ])('may change in %s, either way', (_, bits) => {
    expect(breaks(PAGE, PAGE ^ bits)).toBe(false);
    expect(breaks(PAGE ^ bits, PAGE)).toBe(false);
  });

  test.each([
    ['the output address, lowest bit', 1n << 12n],
    ['the output address, highest bit', 1n << 47n],
    ['the memory type', 0x10n],
    ['shareability', 0x100n],
    ['NS', 0x20n],
    ['the contiguous bit', 1n << 52n],
    ['a bit that nobody knows', 1n << 63n],
  ])('must not change in %s, either way', (_, bits) => {
    expect(breaks(PAGE, PAGE ^ bits)).toBe(true);
    expect(breaks(PAGE ^ bits, PAGE)).toBe(true);
  });

  test('may become non-global, and must not become global', () => {
    expect(breaks(PAGE & ~0x800n, PAGE)).toBe(false);
    expect(breaks(PAGE, PAGE & ~0x800n)).toBe(true);
  });

  test('of a contiguous run needs a break for every change', () => {
    const marked = PAGE | (1n << 52n);
    expect(breaks(marked, marked ^ 0x80n)).toBe(true);
    expect(breaks(marked, marked)).toBe(false);
  });

  test('needs no break where one entry is not valid, or nothing changes', () => {
    expect(breaks(0n, PAGE)).toBe(false);
    expect(breaks(PAGE, 0n)).toBe(false);
    expect(breaks(PAGE, PAGE)).toBe(false);
    expect(breaks(PAGE & ~1n, PAGE ^ (1n << 12n))).toBe(false);
  });

  test('Normal and Normal-Tagged are one memory type', () => {
    const mte = arm64({ granule: 4, vaBits: 48, mair: LINUX_MAIR_MTE });
    expect(breaks(PAGE, PAGE ^ 4n, PTE, mte)).toBe(false);
    expect(breaks(PAGE ^ 4n, PAGE, PTE, mte)).toBe(false);
    expect(breaks(PAGE, PAGE ^ 4n)).toBe(false);
    expect(breaks(PAGE, PAGE ^ 8n, PTE, mte)).toBe(true);
    expect(breaks(PAGE, PAGE ^ 0x104n, PTE, mte)).toBe(true);
  });
});

describe('blocks and tables', () => {
  test('a block must not become a table, nor a table a block', () => {
    expect(breaks(0x00e8000000200f01n, 0x1000000000201403n, PMD)).toBe(true);
    expect(breaks(0x1000000000201403n, 0x00e8000000200f01n, PMD)).toBe(true);
  });

  test('a block may change its permissions', () => {
    expect(breaks(0x00e8000000200f01n, 0x00e0000000200f81n, PMD)).toBe(false);
    expect(breaks(0x00e8000000200f01n, 0x00e8000000400f01n, PMD)).toBe(true);
  });

  test.each([
    ['PXNTable', 1n << 59n, false],
    ['UXNTable', 1n << 60n, false],
    ['APTable[0]', 1n << 61n, false],
    ['APTable[1]', 1n << 62n, false],
    ['the access flag', 0x400n, false],
    ['the address', 1n << 13n, true],
    ['NSTable', 1n << 63n, true],
  ])('a table entry that changes in %s', (_, bits, isNeeded) => {
    expect(breaks(0x403n, 0x403n ^ bits, PMD)).toBe(isNeeded);
    expect(breaks(0x403n ^ bits, 0x403n, 0)).toBe(isNeeded);
  });

  test('bits that may change in a table entry may not change in a page with the same bits', () => {
    expect(breaks(0x403n, 0x403n ^ (1n << 59n), PTE)).toBe(true);
  });
});
