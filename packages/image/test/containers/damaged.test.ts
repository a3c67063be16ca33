import { refusal } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { bytesSource, findRoots, type Image, openImage } from '../../src/index.js';
import { dumpOf, formats, rootOf } from '../support/dumps.js';
import { pagesOf } from '../support/same-memory.js';
import { Bytes, rangesOf } from '../support/writers/bytes.js';
import { elfOf } from '../support/writers/elf.js';
import { kdumpOf } from '../support/writers/kdump.js';
import { avmlOf, chunksOf, flattenedOf, limeOf } from '../support/writers/others.js';

const file = dumpOf('riscv64-sv39', 'zstd');
const root = rootOf('riscv64-sv39', 'kernel');
const whole = openImage(bytesSource(file));
const pages = pagesOf(whole);
const open = (bytes: Uint8Array): Image => openImage(bytesSource(bytes));

/** Where the descriptor of a page is, by a plain count of bits. */
function descriptorOf(address: bigint): number {
  const view = new DataView(file.buffer);
  const block = view.getInt32(428, true);
  const blocks = view.getUint32(436, true);
  const bitmap = (1 + view.getInt32(432, true)) * block + (blocks / 2) * block;
  const pfn = Number(address) / block;
  let rank = 0;
  for (let bit = 0; bit < pfn; bit++) rank += ((file[bitmap + (bit >> 3)] as number) >> (bit & 7)) & 1;
  return bitmap + (blocks / 2) * block + 24 * rank;
}

/** A copy with other bytes somewhere. */
function patched(change: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const copy = file.slice();
  change(new DataView(copy.buffer), copy);
  return copy;
}

describe('a kdump with a damaged page', () => {
  const at = descriptorOf(root);
  const place = Number(new DataView(file.buffer).getBigUint64(at, true));
  const cases: [string, Uint8Array, RegExp][] = [
    [
      'whose place is behind the end',
      patched((view) => view.setBigUint64(at, 1n << 40n, true)),
      /descriptor \d+ says \d+ bytes at byte 0x10000000000, and the file has \d+/,
    ],
    ['whose place is 0', patched((view) => view.setBigUint64(at, 0n, true)), /has no place/],
    [
      'whose size is 0',
      patched((view) => view.setUint32(at + 8, 0, true)),
      /says 0 bytes: expected 1 to 4096/,
    ],
    [
      'whose size is larger than a page',
      patched((view) => view.setUint32(at + 8, 4097, true)),
      /says 4097 bytes/,
    ],
    [
      'whose flags are unknown',
      patched((view) => view.setUint32(at + 12, 0x40, true)),
      /flags 0x40: expected 0, 1 \(zlib\)/,
    ],
    [
      'whose data is wrong',
      patched((_, bytes) => bytes.fill(0xff, place + 4, place + 12)),
      /its zstd data at byte 0x[\da-f]+ is damaged/,
    ],
  ];

  test.each(cases)('%s names the page, and reads all others', (_, bytes, why) => {
    const image = open(bytes);
    expect(image.stateOf(root)).toBe('cut');
    expect(image.whyNot(root)).toMatch(why);
    expect(refusal(() => image.memory.read64(root))).toMatchObject({ code: 'EFAULT', address: root });
    expect(refusal(() => image.memory.read64(root)).message).toMatch(why);
    expect(findRoots(image, { formats, scan: 'never' }).candidates[0]?.whyNot).toMatch(why);
    // Pages of zeros may share what was changed.
    const others = pages.filter(({ address }) => BigInt(address) !== root);
    expect(others.filter(({ address }) => image.stateOf(BigInt(address)) !== 'present')).toEqual([]);
  });

  test('that is cut in its data has the pages before', () => {
    const image = open(file.slice(0, Math.floor(file.length * 0.97)));
    const states = pages.map(({ address }) => image.stateOf(BigInt(address)));
    expect(new Set(states)).toEqual(new Set(['present', 'cut']));
    for (const [i, { address, bytes }] of pages.entries())
      if (states[i] === 'present')
        expect(Buffer.compare(image.memory.bytesAt(BigInt(address), 4096), bytes)).toBe(0);
  });
});

describe('two descriptors of a kdump with one place', () => {
  const two = [0, 4096].map((address) => ({ address, bytes: new Uint8Array(4096).fill(7) }));
  const kdump = kdumpOf(two);
  const at = 3 * 4096 + 2 * 4096;
  /** The dump with other descriptors: place, size and flags of each. */
  const imageOf = (...descriptors: readonly (readonly [number, number, number])[]): Image => {
    const copy = kdump.slice();
    const view = new DataView(copy.buffer);
    descriptors.forEach(([place, size, flags], i) => {
      view.setBigUint64(at + 24 * i, BigInt(place), true);
      view.setUint32(at + 24 * i + 8, size, true);
      view.setUint32(at + 24 * i + 12, flags, true);
    });
    return open(copy);
  };
  const view = new DataView(kdump.buffer);
  const place = Number(view.getBigUint64(at, true));
  const size = view.getUint32(at + 8, true);

  test('are two pages where they have other sizes or flags', () => {
    for (const other of [
      [place, size - 8, 1],
      [place, size, 2],
    ] as const) {
      const image = imageOf([place, size, 1], other);
      expect(image.stateOf(0n)).toBe('present');
      expect(image.stateOf(4096n)).toBe('cut');
      expect(image.whyNot(4096n)).toContain(other[2] === 1 ? 'its zlib data' : 'its LZO data');
    }
  });

  test('are refused each by its own number', () => {
    const image = imageOf([2 ** 40, 9, 1], [2 ** 40, 9, 1]);
    expect(image.whyNot(0n)).toContain('page 0 cannot be read: its descriptor 0 says');
    expect(image.whyNot(4096n)).toContain('page 1 cannot be read: its descriptor 1 says');
  });
});

describe('a file that is no container', () => {
  test('is refused with what was looked for, and how it is opened', () => {
    const message = refusal(() => open(patched((view) => view.setUint8(4, 0x51)))).message;
    expect(message).toMatch(
      /^EINVAL: byte 0x0 of the file: no container: expected ".ELF", "KDUMP {3}", .*; raw memory needs the option `map`$/,
    );
  });

  test.each([
    ['gzip', [0x1f, 0x8b, 8, 0], /gunzip/],
    ['bzip2', [...Buffer.from('BZh91AY')], /bunzip2/],
    ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], /unxz/],
    ['zstd', [0x28, 0xb5, 0x2f, 0xfd], /unzstd/],
  ])('is refused with what unpacks it, when it is packed by %s', (_, bytes, advice) => {
    expect(refusal(() => open(Uint8Array.from(bytes))).message).toMatch(advice);
  });

  test('is refused when it is the core of a process, empty, or of another machine', () => {
    const twoAtZero = elfOf([{ address: 0, bytes: new Uint8Array(4096) }], { twice: true });
    expect(refusal(() => open(twoAtZero)).message).toContain('the core of a process');
    expect(refusal(() => open(new Uint8Array())).code).toBe('EINVAL');
    expect(refusal(() => open(patched((view) => view.setInt32(428, 4096, false)))).message).toMatch(
      /byte 0x1ac of the file: block_size is \d+: expected 4096 to 65536; a dump of a 32-bit or big-endian/,
    );
    const s390 = open(elfOf(pages.slice(0, 4), { machine: 22 }));
    expect(findRoots(s390, { formats }).reasons).toEqual([
      'the dump is of machine 22, which has no tables here',
    ]);
  });
});

describe('a cut file', () => {
  test('of ELF gives the pages that it has, and no zeros for the others', () => {
    const elf = elfOf(pages);
    const image = open(elf.slice(0, Math.floor(elf.length * 0.6)));
    const last = BigInt(pages.at(-1)?.address ?? 0);
    expect(image.stateOf(last)).toBe('cut');
    expect(refusal(() => image.memory.read64(last)).message).toContain('is it truncated?');
    expect(image.warnings[0]).toMatch(/the file is cut: \d+ bytes of memory/);
    expect(image.stateOf(BigInt(pages[0]?.address ?? 0))).toBe('present');
  });

  test('of kdump has a warning when it is opened', () => {
    expect(open(file).warnings.join()).not.toContain('truncated');
    for (const bytes of [1, 5000]) {
      const image = open(file.slice(0, file.length - bytes));
      expect(image.warnings.join()).toMatch(
        /[1-9]\d* of the last pages are behind the end of the file: is it truncated\?/,
      );
    }
  });

  test('of LiME and AVML, too', () => {
    for (const bytes of [limeOf(pages), avmlOf(pages)]) {
      const image = open(bytes.slice(0, bytes.length - 5000));
      expect(image.stateOf(BigInt(pages[0]?.address ?? 0))).toBe('present');
      expect(image.stateOf(BigInt(pages.at(-1)?.address ?? 0))).not.toBe('present');
    }
  });

  test('of a flattened dump without its closing chunk is read, with a warning', () => {
    const image = open(flattenedOf(chunksOf(file, 4096), false));
    expect(image.warnings[0]).toBe('the flattened file has no closing chunk: is it truncated?');
    expect(image.stateOf(root)).toBe('present');
  });

  test('before its headers are whole is refused with what is missing', () => {
    for (const bytes of [elfOf(pages).slice(0, 60), kdumpOf(pages).slice(0, 300), limeOf(pages).slice(0, 20)])
      expect(refusal(() => open(bytes)).message).toMatch(
        /the file ends at byte 0x[\da-f]+, but .* needs \d+ bytes/,
      );
  });
});

describe('what a dump left out', () => {
  const address = 2 ** 31 + 2 ** 20;
  const excluded = [address / 4096];

  test('is refused as bytes, and an empty table only where the dump leaves out zeros', () => {
    for (const [dumpLevel, isZero] of [
      [1, true],
      [31, true],
      [2, false],
      [0, false],
    ] as const) {
      const image = open(kdumpOf(pages, { dumpLevel, excluded }));
      expect(image.stateOf(BigInt(address))).toBe('excluded');
      expect(refusal(() => image.memory.read64(BigInt(address))).message).toContain('left the page out');
      expect(image.memory.locate(address / 4096) !== null).toBe(isZero);
    }
  });

  test('of an ELF core reads as an empty table', () => {
    const image = open(elfOf(pages, { leftOut: [{ address, bytes: 8192 }] }));
    expect(image.stateOf(BigInt(address))).toBe('excluded');
    expect(image.memory.locate(address / 4096)?.bank.words.every((word) => word === 0)).toBe(true);
    expect(refusal(() => image.memory.read64(BigInt(address))).code).toBe('EFAULT');
  });

  test('of AVML between its blocks is no zero memory, but an empty table, and its ranges are its blocks', () => {
    const image = open(avmlOf(pages));
    const gap =
      BigInt(pages.find((page, i) => pages[i + 1]?.address !== page.address + 4096)?.address ?? 0) + 4096n;
    expect(image.stateOf(gap)).toBe('excluded');
    expect(image.whyNot(gap)).toBe('no block has it: it was zero, or is no memory');
    expect(refusal(() => image.memory.read64(gap)).code).toBe('EFAULT');
    expect(image.memory.locate(Number(gap) / 4096)?.bank.words.every((word) => word === 0)).toBe(true);
    expect([...image.ranges()]).toEqual(
      rangesOf(pages).map(({ address, bytes }) => ({
        address: BigInt(address),
        bytes: BigInt(bytes.length),
      })),
    );
  });
});

test('a page of a kdump that was dumped is there, though the other bitmap says that it does not exist', () => {
  const page = (pfn: number) => ({ address: pfn * 4096, bytes: new Uint8Array(4096).fill(pfn) });
  const kdump = kdumpOf([page(3), page(9)]);
  const exists = 3 * 4096;
  expect([kdump[exists], kdump[exists + 1]]).toEqual([1 << 3, 1 << 1]);
  kdump[exists] = 0;
  const image = open(kdump);
  expect(image.stateOf(3n * 4096n)).toBe('present');
  expect(image.memory.read64(3n * 4096n)).toBe(0x0303030303030303n);
  expect(image.memory.read64(9n * 4096n)).toBe(0x0909090909090909n);
});

describe('a block of AVML whose stream is too short', () => {
  const stored = (fill: number) => new Bytes().u8(1, 4, 0x10, 0).u32(0).add(new Uint8Array(4096).fill(fill));
  const block = (start: number, bytes: number, stream: Bytes) =>
    new Bytes()
      .u32(0x4c4d5641, 2)
      .u64(start, start + bytes - 1, 0)
      .add(stream.done())
      .u64(stream.length);

  test('takes no bytes of the block behind it', () => {
    // Its length, 0x24ff, reads as a chunk to be skipped that ends where the stream of the next block begins.
    const short = stored(1);
    const rest = 0x24ff - short.length - 4;
    short.u8(0xfe, rest & 255, rest >> 8, 0).zeros(rest);
    const image = open(
      new Bytes()
        .add(block(0, 8192, short).done())
        .add(block(0x10000, 4096, stored(2)).done())
        .done(),
    );
    expect(image.stateOf(0n)).toBe('present');
    expect(image.memory.read64(0x10000n)).toBe(0x0202020202020202n);
    expect(image.stateOf(4096n)).toBe('cut');
    expect(image.whyNot(4096n)).toBe('its stream ends at byte 0x251f, after 4096 of 8192 bytes');
  });

  test('has no chunk that ends behind it', () => {
    const stream = stored(1).done().slice(0, 2000);
    const image = open(block(0, 4096, new Bytes().add(stream)).done());
    expect(image.stateOf(0n)).toBe('cut');
    expect(image.whyNot(0n)).toBe(
      'byte 0x20: a chunk of snappy ends behind its stream, which ends at byte 0x7f0',
    );
  });
});
