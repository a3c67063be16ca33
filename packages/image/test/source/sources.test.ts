import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { codeOf, refusal } from '@vmarea/testkit';
import { afterAll, describe, expect, test } from 'vitest';
import { blobSource, bytesSource, fileSource, openImage } from '../../src/index.js';
import { Reader } from '../../src/source/reader.js';
import { kdumpOf } from '../support/writers/kdump.js';

const folder = mkdtempSync(join(tmpdir(), 'vmarea-image-'));
afterAll(() => rmSync(folder, { recursive: true }));
const bytes = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 7) & 255);

describe('a source', () => {
  test('over an array begins where the array does', () => {
    const source = bytesSource(bytes.subarray(100, 200));
    expect(source.size).toBe(100);
    expect([...source.read(1, 2)]).toEqual([bytes[101], bytes[102]]);
    expect(source.read(99, 5)).toHaveLength(1);
  });

  test('over a file reads pieces of it, and nothing behind its end', () => {
    const path = join(folder, 'file');
    fs.writeFileSync(path, bytes);
    const fd = fs.openSync(path, 'r');
    const source = fileSource(fd, fs);
    expect(source.size).toBe(bytes.length);
    expect(Buffer.compare(source.read(70_000, 50_000), bytes.subarray(70_000, 120_000))).toBe(0);
    expect(source.read(bytes.length - 3, 10)).toHaveLength(3);
    fs.closeSync(fd);
  });

  test('over a blob needs a worker of a browser, and reads through its FileReaderSync', () => {
    const blob = new Blob([bytes]);
    expect(codeOf(() => blobSource(blob))).toBe('EOPNOTSUPP');
    const host = globalThis as { FileReaderSync?: unknown };
    host.FileReaderSync = class {
      readAsArrayBuffer({ start, end }: { start: number; end: number }): ArrayBuffer {
        return bytes.slice(start, end).buffer;
      }
    };
    try {
      const like = { size: bytes.length, slice: (start: number, end: number) => ({ ...like, start, end }) };
      expect([...blobSource(like).read(5, 3)]).toEqual([...bytes.subarray(5, 8)]);
      expect(blobSource(like).read(bytes.length - 1, 3)).toHaveLength(1);
    } finally {
      delete host.FileReaderSync;
    }
  });

  test.each([
    ['bytesSource', () => bytesSource('text' as never)],
    ['fileSource, without a descriptor', () => fileSource(-1, fs)],
    ['fileSource, without node:fs', () => fileSource(3, {} as never)],
    ['blobSource', () => blobSource({} as never)],
    ['openImage, without a source', () => openImage(null as never)],
    ['openImage, with none', () => openImage([])],
    ['openImage, with an unknown option', () => openImage(bytesSource(bytes), { mpa: [] } as never)],
    ['openImage, with a map that is none', () => openImage(bytesSource(bytes), { map: [] })],
    [
      'openImage, with a map behind the end',
      () => openImage(bytesSource(bytes), { map: [{ address: 0n, bytes: 200_001 }] }),
    ],
    [
      'openImage, with a map of no address',
      () => openImage(bytesSource(bytes), { map: [{ address: 1 as never }] }),
    ],
  ])('is refused where it is none: %s', (_, call) => {
    expect(codeOf(call)).toBe('EINVAL');
  });

  test('of raw memory is refused where two pieces overlap, with both', () => {
    const map = [
      { address: 0x20000n, bytes: 0x2000 },
      { address: 0x10000n, bytes: 0x1000 },
      { address: 0x20fffn, offset: 0x3000, bytes: 0x1000 },
    ];
    expect(refusal(() => openImage(bytesSource(bytes), { map })).message).toBe(
      'EINVAL: map[0] from 0x20000 to 0x22000 and map[2] from 0x20fff to 0x21fff overlap; give each physical address once',
    );
    const [first, second] = map;
    const apart = [first, second, { address: 0x22000n, offset: 0x3000, bytes: 0x1000 }] as typeof map;
    expect(openImage(bytesSource(bytes), { map: apart }).contents.bytes).toBe(0x4000);
  });

  test('of raw memory is refused where a piece begins behind its end, with both numbers', () => {
    const map = [{ address: 0n, offset: 220_882 }];
    expect(refusal(() => openImage(bytesSource(bytes), { map })).message).toBe(
      'EINVAL: map[0].offset is 220882, which is behind the end: the file has 200000 bytes',
    );
  });

  test('of raw memory that begins as a packed file is opened, with a warning', () => {
    const packed = bytes.slice();
    packed.set([0x1f, 0x8b, 8, 0]);
    const map = [{ address: 0n }];
    expect(openImage(bytesSource(packed), { map }).warnings).toEqual([
      'the file is read as raw memory, as `map` says, and it begins as another one: it is packed by gzip: unpack it with gunzip',
    ]);
    expect(openImage(bytesSource(bytes), { map }).warnings).toEqual([]);
  });

  test.each([
    ['.ELF', '\x7fELF'],
    ['KDUMP   ', 'KDUMP   '],
    ['EMiL', 'EMiL'],
    ['AVML', 'AVML'],
    ['PTIMAGE1', 'PTIMAGE1'],
    ['makedumpfile', 'makedumpfile\0\0\0\0'],
  ])('of raw memory that begins as a container, with %j, is opened, with a warning', (name, magic) => {
    const container = bytes.slice();
    container.set(Buffer.from(magic, 'latin1'));
    expect(openImage(bytesSource(container), { map: [{ address: 0n }] }).warnings).toEqual([
      `the file is read as raw memory, as \`map\` says, and it begins as another one: with "${name}", as a container that opens without \`map\``,
    ]);
  });

  test('that fails, or gives too little, is told from a damaged file', () => {
    const failing = {
      size: 5000,
      read: () => {
        throw new Error('EIO');
      },
    };
    expect(refusal(() => openImage(failing))).toMatchObject({ code: 'EFAULT' });
    const short = { size: 5000, read: () => new Uint8Array(3) };
    expect(refusal(() => openImage(short)).message).toContain('did the file change?');
  });
});

describe('a reader', () => {
  test('reads a block once, keeps 2 MiB, and what it gave stays as it was', () => {
    let reads = 0;
    const size = 2 ** 32;
    const reader = new Reader({
      size,
      read: (offset, length) => {
        reads++;
        return new Uint8Array(length).fill(offset / 32768);
      },
    });
    const held = reader.bytes(10, 20, 'bytes');
    for (let i = 0; i < 64; i++) reader.bytes(i * 32768 + 5, 8, 'bytes');
    expect(reads).toBe(64);
    for (let i = 0; i < 64; i++) reader.bytes(i * 32768 + 9, 8, 'bytes');
    expect(reads).toBe(64);
    for (let i = 64; i < 200; i++) reader.bytes(i * 32768, 8, 'bytes');
    expect(reads).toBe(200);
    expect(held.every((byte) => byte === 0)).toBe(true);
    reader.bytes(10, 20, 'bytes');
    expect(reads).toBe(201);
    expect([...reader.bytes(32766, 4, 'bytes')]).toEqual([0, 0, 1, 1]);
  });
});

test('an image of a dump reads a small part of its file, once', () => {
  const pages = Array.from({ length: 1024 }, (_, i) => ({
    address: i * 4096,
    bytes: new Uint8Array(randomBytes(4096)),
  }));
  const file = kdumpOf(pages);
  let read = 0;
  const image = openImage({
    size: file.length,
    read: (offset, length) => {
      read += length;
      return file.slice(offset, offset + length);
    },
  });
  const at = (address: number) => image.memory.read64(BigInt(address));
  const truth = new DataView((pages[700] as (typeof pages)[0]).bytes.buffer);
  expect(at(700 * 4096)).toBe(truth.getBigUint64(0, true));
  // Four megabytes: the headers and bitmaps, descriptors, and the page take some blocks of 32 KiB.
  expect(read / file.length).toBeLessThan(0.05);
  const once = read;
  expect(at(700 * 4096 + 8)).toBe(truth.getBigUint64(8, true));
  expect(at(700 * 4096)).toBe(truth.getBigUint64(0, true));
  expect(read).toBe(once);
});
