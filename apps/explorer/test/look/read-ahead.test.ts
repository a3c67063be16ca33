import { bytesSource } from '@vmarea/image';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readAhead } from '../../src/look/read-ahead.js';

/** 1 MiB, each word its own number. */
const FILE = new Uint8Array(Uint32Array.from({ length: 2 ** 18 }, (_, i) => i).buffer);

function counted(): { source: ReturnType<typeof readAhead>; reads: [number, number][] } {
  const reads: [number, number][] = [];
  const whole = bytesSource(FILE);
  const source = readAhead({
    size: whole.size,
    read: (offset, length) => {
      reads.push([offset, length]);
      return whole.read(offset, length);
    },
  });
  return { source, reads };
}

describe('a source that reads ahead', () => {
  test('gives the bytes of the file, however it is read', () => {
    const piece = fc.tuple(fc.nat(2 ** 20 - 1), fc.integer({ min: 1, max: 2 ** 17 }), fc.nat(3));
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const { source } = counted();
        let end = 0;
        for (const [random, length, where] of pieces) {
          // Most reads go on where the last one ended.
          const offset = where === 0 || end >= source.size ? random : end;
          const most = Math.min(length, source.size - offset);
          expect(Buffer.compare(source.read(offset, most), FILE.subarray(offset, offset + most))).toBe(0);
          end = offset + most;
        }
      }),
    );
  });

  test('reads a file from front to back in few large pieces, none of them twice', () => {
    const { source, reads } = counted();
    for (let at = 0; at < FILE.length; at += 2 ** 14) source.read(at, 2 ** 14);
    expect(reads.length).toBeLessThan(6);
    expect(reads.reduce((sum, [, length]) => sum + length, 0)).toBe(FILE.length);
  });

  test('reads no more than is asked for elsewhere', () => {
    const { source, reads } = counted();
    for (const at of [8, 500_000, 4096, 900_000]) source.read(at, 100);
    expect(reads).toEqual([8, 500_000, 4096, 900_000].map((at) => [at, 100]));
  });
});
