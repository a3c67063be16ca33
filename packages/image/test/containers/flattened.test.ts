import { refusal } from '@vmarea/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { unflatten } from '../../src/containers/flattened.js';
import { memoryRuns } from '../../src/containers/memory-runs.js';
import { bytesSource, openImage } from '../../src/index.js';
import { Reader } from '../../src/source/reader.js';
import { Bytes } from '../support/writers/bytes.js';
import { kdumpOf } from '../support/writers/kdump.js';
import { chunksOf, type FlatChunk, flattenedOf } from '../support/writers/others.js';

const inside = (file: Uint8Array) => unflatten(new Reader(bytesSource(file))).source;

/** Chunks written one after the other into an array. */
function written(chunks: readonly FlatChunk[]): Uint8Array {
  const all = new Uint8Array(Math.max(...chunks.map(({ offset, bytes }) => offset + bytes.length)));
  for (const { offset, bytes } of chunks) all.set(bytes, offset);
  return all;
}

test('chunks that overlap are as if each was written over those before it', () => {
  const chunk = fc.record({ offset: fc.nat(60), bytes: fc.uint8Array({ minLength: 1, maxLength: 30 }) });
  fc.assert(
    fc.property(fc.array(chunk, { minLength: 1, maxLength: 40 }), (chunks) => {
      const source = inside(flattenedOf(chunks));
      expect([...source.read(0, source.size)]).toEqual([...written(chunks)]);
    }),
  );
});

// With a list that is searched from its end, this takes a minute and runs into the timeout.
test('a long chunk over 400,000 short ones, which come in descending order, takes no square of their number', () => {
  const count = 400_000;
  const file = new Uint8Array(4096 + 17 * count + 16 + count + 16);
  const view = new DataView(file.buffer);
  file.set(flattenedOf([{ offset: 0, bytes: new Uint8Array(1) }]).subarray(0, 4096));
  let at = 4096;
  const chunk = (target: number, bytes: number, fill: number): void => {
    view.setBigInt64(at, BigInt(target));
    view.setBigInt64(at + 8, BigInt(bytes));
    file.fill(fill, at + 16, at + 16 + bytes);
    at += 16 + Math.max(0, bytes);
  };
  for (let i = count; i > 0; i--) chunk(i, 1, 1);
  chunk(0, count, 2);
  chunk(-1, -1, 0);
  const source = inside(file);
  expect(source.size).toBe(count + 1);
  expect([...source.read(count - 2, 3)]).toEqual([2, 2, 1]);
});

test('a kdump whose bitmaps would be holes of a flattened file is refused, though its size is enormous', () => {
  const kdump = kdumpOf([{ address: 0, bytes: new Uint8Array(4096) }]);
  const view = new DataView(kdump.buffer);
  // 2^31 bytes of bitmaps, of 2^33 pages.
  view.setUint32(436, 2 ** 19, true);
  view.setBigUint64(4096 + 96, 2n ** 33n, true);
  const far = { offset: 2 ** 40, bytes: new Uint8Array(1) };
  const message = refusal(() => openImage(bytesSource(flattenedOf([...chunksOf(kdump, 4096), far])))).message;
  expect(message).toMatch(/bitmap_blocks is 524288: the chunks of the flattened file have \d+ bytes in all/);
});

test('a look through memory skips the holes of a flattened file, however large one far chunk makes them', () => {
  // LiME: one range of 1 PiB, of which three pages are stored.
  const size = 2 ** 50;
  const header = new Bytes()
    .u32(0x4c694d45, 1)
    .u64(0x1000, 0x1000 + size - 1, 0)
    .done();
  const page = (offset: number, fill: number) => ({ offset, bytes: new Uint8Array(4096).fill(fill) });
  const chunks = [
    { offset: 0, bytes: header },
    page(32 + 0x5000, 1),
    page(32 + 2 ** 40 + 0x800, 2),
    page(32 + size - 4096, 3),
  ];
  const image = openImage(bytesSource(flattenedOf(chunks)));
  expect(image.contents.bytes).toBe(size);
  const found: [number, number][] = [];
  let runs = 0;
  for (const { address, bytes } of memoryRuns(image.contents, 4096)) {
    if (++runs > 100) break;
    for (let at = 0; at < bytes.length; at += 4096) {
      const one = bytes.subarray(at, at + 4096).find((byte) => byte !== 0);
      if (one !== undefined) found.push([address + at, one]);
    }
  }
  expect(found).toEqual([
    [0x6000, 1],
    [2 ** 40 + 0x1000, 2],
    [2 ** 40 + 0x2000, 2],
    [size, 3],
  ]);
  // Holes are memory of zeros, as the bytes of the file are.
  expect(image.stateOf(2n ** 45n)).toBe('present');
  expect(image.memory.read64(2n ** 45n)).toBe(0n);
});
