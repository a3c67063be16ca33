import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Bitmap } from '../../src/containers/bitmap.js';
import { bytesSource } from '../../src/index.js';
import { Reader } from '../../src/source/reader.js';

/** Runs of bytes: empty and full ones over many buckets, and any in between. */
const bytes = fc
  .array(fc.tuple(fc.constantFrom(0, 255, 0xa7, 0x80), fc.integer({ min: 1, max: 1500 })), {
    minLength: 1,
    maxLength: 6,
  })
  .map((runs) => Uint8Array.from(runs.flatMap(([byte, count]) => new Array<number>(count).fill(byte))));

test('a bitmap counts and finds bits as a loop over them does, at any length', () => {
  fc.assert(
    fc.property(
      bytes,
      fc.nat(7),
      fc.nat(70),
      fc.array(fc.nat(2 ** 16), { maxLength: 6 }),
      (all, less, offset, near) => {
        const file = new Uint8Array(offset + all.length);
        file.set(all, offset);
        const length = 8 * all.length - less;
        const bits = Array.from({ length }, (_, i) => ((all[i >> 3] as number) >> (i & 7)) & 1);
        const bitmap = new Bitmap(new Reader(bytesSource(file)), offset, length);
        const before = [0];
        for (const bit of bits) before.push((before.at(-1) as number) + bit);
        expect([bitmap.length, bitmap.count]).toEqual([length, before[length]]);
        for (const place of [0, 4095, 4096, 4097, length - 1, ...near]) {
          const bit = place % length;
          expect(bitmap.has(bit)).toBe(bits[bit] === 1);
          expect(bitmap.rank(bit)).toBe(before[bit]);
          expect(bitmap.next(bit)).toBe(bits.indexOf(1, bit));
          expect(bitmap.next(bit, false)).toBe(bits.indexOf(0, bit));
        }
      },
    ),
  );
});
