import { readFileSync } from 'node:fs';
import { deflateSync, gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { inflate } from '../../src/compression/inflate.js';
import { unpackLzo } from '../../src/compression/lzo.js';
import { unpackSnappy } from '../../src/compression/snappy.js';
import type { Unpack } from '../../src/compression/unpack.js';
import { unpackZstd } from '../../src/compression/zstd.js';
import { snappyOf } from '../support/writers/others.js';

const unpackers: Readonly<Record<string, Unpack>> = {
  zlib: inflate,
  lzo: unpackLzo,
  lzo9: unpackLzo,
  snappy: unpackSnappy,
  zstd: unpackZstd,
  zstd19: unpackZstd,
};
const vector = (file: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../data/vectors/${file}`, import.meta.url)));
/** Zeros, entries, text, four letters, few words; and 64 KiB of copies at all distances. */
const PAGES = [0, 1, 3, 4, 5, 6];

describe.each(Object.entries(unpackers))('%s', (name, unpack) => {
  const vectors = PAGES.map((page) => ({
    page: new Uint8Array(gunzipSync(vector(`${page}.raw.gz`))),
    packed: vector(`${page}.${name}`),
  }));

  test('unpacks what the reference library packed', () => {
    for (const { page, packed } of vectors) {
      const into = new Uint8Array(page.length);
      expect(unpack(packed, into)).toBeNull();
      expect(Buffer.compare(into, page)).toBe(0);
    }
  });

  test('says so when the length is another one', () => {
    for (const { page, packed } of vectors)
      for (const length of [page.length - 1, page.length + 1, 0])
        expect(unpack(packed, new Uint8Array(length))).toMatch(/unpacks to (more than )?\d+ bytes/);
  });

  test('says so when the data is cut anywhere', () => {
    for (const { page, packed } of vectors)
      for (let cut = 0; cut < packed.length; cut += 1 + Math.floor(packed.length / 97))
        expect(unpack(packed.subarray(0, cut), new Uint8Array(page.length))).not.toBeNull();
  });

  test('throws nothing and writes nothing beyond its array, whatever it gets', () => {
    fc.assert(
      fc.property(
        fc.nat(PAGES.length - 1),
        fc.array(fc.tuple(fc.nat(20_000), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        (which, changes) => {
          const { page, packed } = vectors[which] as (typeof vectors)[number];
          const changed = packed.slice();
          for (const [at, byte] of changes) changed[at % changed.length] = byte;
          const room = new Uint8Array(page.length + 64).fill(0xa5);
          const why = unpack(changed, room.subarray(32, 32 + page.length));
          expect(why === null || why.length > 0).toBe(true);
          expect(room.subarray(0, 32).every((byte) => byte === 0xa5)).toBe(true);
          expect(room.subarray(32 + page.length).every((byte) => byte === 0xa5)).toBe(true);
        },
      ),
    );
  });
});

test('a page of zstd is never written as text, which its library does for a comparison', () => {
  const written = vi.spyOn(Object.getPrototypeOf(Uint8Array.prototype), 'toString');
  try {
    const page = new Uint8Array(gunzipSync(vector('3.raw.gz')));
    expect(unpackZstd(vector('3.zstd'), new Uint8Array(page.length))).toBeNull();
    expect(written).not.toHaveBeenCalled();
  } finally {
    written.mockRestore();
  }
});

describe('any bytes', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 3000 });

  test('come back from zlib, and one wrong byte of the data is noticed by the checksum', () => {
    fc.assert(
      fc.property(bytes, fc.nat(), (page, at) => {
        const packed = new Uint8Array(deflateSync(page, { level: 0 }));
        const into = new Uint8Array(page.length);
        expect(inflate(packed, into)).toBeNull();
        expect(into).toEqual(page);
        // Stored data begins behind the headers of zlib and of a block.
        const place = 7 + (at % page.length);
        packed[place] = (packed[place] as number) ^ 1;
        expect(inflate(packed, into)).toBe('its checksum differs');
      }),
    );
  });

  test('come back from snappy', () => {
    fc.assert(
      fc.property(bytes, (page) => {
        const into = new Uint8Array(page.length);
        expect(unpackSnappy(snappyOf(page), into)).toBeNull();
        expect(into).toEqual(page);
      }),
    );
  });
});
