import { VmError } from '@vmarea/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressOf, pageRange } from '../../src/table/page-range.js';
import { formats } from '../formats/index.js';

const TOP = 1n << 64n;

/** The same by bigints, without errors: the first page and the pages, or `null`. */
function model(
  format: (typeof formats)[number],
  va: bigint,
  bytes: bigint | number,
): [bigint, bigint] | null {
  if (typeof bytes === 'number' && !Number.isSafeInteger(bytes)) return null;
  const { pageShift, range } = format;
  const length = BigInt(bytes);
  const page = 1n << BigInt(pageShift);
  if (va < 0n || va >= TOP || length <= 0n || va % page !== 0n || length % page !== 0n) return null;
  const inside = 1n << BigInt(range.bits);
  const holds = (address: bigint): boolean => {
    const low = address % inside;
    const upper = TOP - inside;
    const isHigh = range.upper === 'ones' || (range.upper === 'sign' && low >= inside / 2n);
    return address < TOP && address === (isHigh ? upper | low : low);
  };
  const last = va + length - 1n;
  if (!holds(va) || !holds(last)) return null;
  // Both halves of a canonical range have the same bit on top.
  if (range.upper === 'sign' && (va % inside) / (inside / 2n) !== (last % inside) / (inside / 2n))
    return null;
  return [(va % inside) / page, length / page];
}

describe.each(formats)('a range of $name', (format) => {
  const { pageShift, range } = format;
  const page = 1n << BigInt(pageShift);
  const edges = [
    0n,
    (1n << BigInt(range.bits - 1)) - page,
    1n << BigInt(range.bits - 1),
    (1n << BigInt(range.bits)) - page,
    1n << BigInt(range.bits),
    TOP - (1n << BigInt(range.bits)),
    TOP - (1n << BigInt(range.bits - 1)),
    TOP - page,
    TOP,
    -page,
    1n << 32n,
    TOP - (1n << 32n),
  ];
  const address = fc.oneof(
    fc
      .tuple(fc.constantFrom(...edges), fc.integer({ min: -4, max: 4 }))
      .map(([at, pages]) => at + BigInt(pages) * page),
    fc.bigInt({ min: -page, max: TOP + page }),
    fc.bigInt({ min: 0n, max: TOP >> BigInt(pageShift) }).map((n) => n << BigInt(pageShift)),
  );
  const pages = fc.oneof(
    fc.integer({ min: 0, max: 9 }).map(BigInt),
    fc.bigInt({ min: -1n, max: 1n << 53n }),
    fc.constantFrom(1n << BigInt(range.bits - pageShift), 1n << BigInt(range.bits - pageShift - 1)),
  );
  const bytes = fc
    .tuple(pages, fc.constantFrom(0n, 0n, 0n, 1n, -1n), fc.boolean())
    .map(([n, off, isNumber]) => {
      const length = n * page + off;
      return isNumber ? Number(length) : length;
    });

  test('is what bigints say, or is refused', () => {
    fc.assert(
      fc.property(address, bytes, (va, length) => {
        const expected = model(format, va, length);
        let found: [bigint, bigint] | null = null;
        try {
          const { first, pages: count } = pageRange(format, va, length);
          found = [BigInt(first), BigInt(count)];
          expect(addressOf(format, first)).toBe(va);
        } catch (error) {
          if (!(error instanceof VmError)) throw error;
        }
        expect(found).toEqual(expected);
      }),
      { numRuns: 300 * Number(process.env.VMAREA_RUNS ?? 1) },
    );
  });
});
