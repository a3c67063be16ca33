import { codeOf, refusal } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { PhysicalMemory } from '../../src/memory/physical-memory.js';
import { sparseBank } from '../../src/memory/sparse-bank.js';
import { wrong } from './support.js';

/** Frames of 4 KiB, frame `i` filled with `i + 1`. */
function frames(count: number, size = 4096): Uint8Array {
  return Uint8Array.from({ length: count * size }, (_, i) => Math.floor(i / size) + 1);
}

describe('a sparse bank', () => {
  const addresses = [0x9000n, 0x3000n, 0x4000n, 0x5000n, 0x8000n];
  const image = PhysicalMemory.of([sparseBank({ pageShift: 12, addresses, bytes: frames(5) })]);

  test('has each frame at its address, in whatever order they are given', () => {
    addresses.forEach((pa, i) => {
      expect(image.read32(pa)).toBe(0x0101_0101 * (i + 1));
      expect(image.read64(pa + 0xff8n)).toBe(0x0101_0101_0101_0101n * BigInt(i + 1));
      expect(image.locate(Number(pa >> 12n))?.word).toBe(i * 1024);
    });
    expect(image.banks[0]).toMatchObject({ base: 0x3000n, bytes: 5 * 4096, writable: false, linear: false });
    expect(image.banks[0]?.words).toHaveLength(5 * 1024);
  });

  test.each([0n, 0x2ff8n, 0x6000n, 0x7ff8n, 0xa000n])('has no bytes at %s', (pa) => {
    expect(refusal(() => image.read64(pa))).toMatchObject({ code: 'EFAULT', address: pa });
    expect(image.locate(Number(pa >> 12n))).toBeNull();
  });

  test('refuses writes', () => {
    expect(refusal(() => image.write32(0x3004n, 1))).toMatchObject({ code: 'EPERM', address: 0x3004n });
    expect(codeOf(() => image.write64(0x3000n, 1n))).toBe('EPERM');
    expect(codeOf(() => image.write64(0x6000n, 1n))).toBe('EFAULT');
  });

  test('gives a view of bytes that lie together in the file, a copy of others', () => {
    const view = image.bytesAt(0x3ffen, 0x1004);
    expect(view.buffer).toBe(image.banks[0]?.words.buffer);
    expect([view[0], view[2], view[0x1001], view[0x1002]]).toEqual([2, 3, 3, 4]);
    const copy = image.bytesAt(0x8ffen, 4);
    expect(copy.buffer).not.toBe(image.banks[0]?.words.buffer);
    expect([...copy]).toEqual([5, 5, 1, 1]);
    expect(refusal(() => image.bytesAt(0x3000n, 0x3001))).toMatchObject({ code: 'EFAULT', address: 0x6000n });
    expect(refusal(() => image.bytesAt(0x8000n, 2 ** 52))).toMatchObject({
      code: 'EFAULT',
      address: 0xa000n,
    });
  });

  test('finds a larger frame where the smaller ones lie together', () => {
    const run = PhysicalMemory.of([
      sparseBank({
        pageShift: 12,
        addresses: [0x1000n, 0x4000n, 0x5000n, 0x6000n, 0x7000n, 0x8000n],
        bytes: frames(6),
      }),
    ]);
    expect(run.locate(1, 14)?.word).toBe(1024);
    expect(run.locate(2, 14)).toBeNull();
    expect(run.locate(0, 14)).toBeNull();
    expect(image.locate(2, 14)).toBeNull();
  });

  test('has frames of 64 KiB', () => {
    const large = PhysicalMemory.of([
      sparseBank({
        pageShift: 16,
        addresses: BigUint64Array.of(0x50000n, 0x10000n),
        bytes: frames(2, 65536),
      }),
    ]);
    expect(large.locate(5, 16)?.word).toBe(0);
    expect(large.locate(0x1f)?.word).toBe(16384 + 15 * 1024);
    expect(large.read32(0x1fffcn)).toBe(0x0202_0202);
  });

  test('takes bytes that begin at any offset', () => {
    const all = new Uint8Array(4096 + 16);
    const bytes = all.subarray(3, 3 + 4096).fill(7);
    const odd = PhysicalMemory.of([sparseBank({ pageShift: 12, addresses: [0n], bytes })]);
    expect(odd.read32(0xffcn)).toBe(0x0707_0707);
    expect(odd.read64(0n)).toBe(0x0707_0707_0707_0707n);
  });

  test('finds each of many frames, and none between them', () => {
    // Frame numbers below and above 2^32, most of them apart.
    const pfns = Array.from({ length: 500 }, (_, i) => (i % 7) * 2 ** 35 + (i * 3) ** 2 + (i % 5));
    const own = [...new Set(pfns)];
    const memory = PhysicalMemory.of([
      sparseBank({
        pageShift: 12,
        addresses: own.map((pfn) => BigInt(pfn) << 12n),
        bytes: new Uint8Array(own.length * 4096),
      }),
    ]);
    own.forEach((pfn, i) => {
      expect(memory.locate(pfn)?.word, String(pfn)).toBe(i * 1024);
      if (!own.includes(pfn + 1)) expect(memory.locate(pfn + 1), String(pfn + 1)).toBeNull();
    });
    expect(memory.banks[0]?.wordOf(own[1] as number, 12)).toBe(1024);
    for (const pfn of [0.5, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(memory.banks[0]?.wordOf(pfn, 12)).toBe(-1);
    }
  });

  test('copies the addresses: the caller may reuse its array', () => {
    const list = BigUint64Array.of(0x1000n, 0x3000n);
    const memory = PhysicalMemory.of([sparseBank({ pageShift: 12, addresses: list, bytes: frames(2) })]);
    list.fill(0n);
    expect(memory.read32(0x3000n)).toBe(0x0202_0202);
  });

  test('works beside a writable bank', () => {
    const memory = PhysicalMemory.of([
      { bytes: 4096, base: 0x10000n },
      sparseBank({ pageShift: 12, addresses, bytes: frames(5) }),
    ]);
    memory.write32(0x10000n, 3);
    expect(memory.read32(0x9000n)).toBe(0x0101_0101);
    expect(memory.banks.map((bank) => bank.linear)).toEqual([false, true]);
    expect(refusal(() => memory.read32(0xa000n)).message).toContain('image');
    expect(
      codeOf(() =>
        PhysicalMemory.of([
          { bytes: 4096, base: 0x6000n },
          sparseBank({ pageShift: 12, addresses, bytes: frames(5) }),
        ]),
      ),
    ).toBe('EINVAL');
  });

  test('refuses a frame that is given twice', () => {
    for (const twice of [
      [0x1000n, 0x1000n],
      [0x2000n, 0x1000n, 0x2000n],
    ]) {
      const error = refusal(() =>
        PhysicalMemory.of([sparseBank({ pageShift: 12, addresses: twice, bytes: frames(twice.length) })]),
      );
      expect(error).toMatchObject({ code: 'EINVAL', address: twice[0] });
    }
  });

  describe('whose missing frames are zero', () => {
    const zeros = PhysicalMemory.of([
      sparseBank({ pageShift: 12, addresses, bytes: frames(5), zeros: true }),
    ]);

    test('has zeros at all other addresses', () => {
      addresses.forEach((pa, i) => void expect(zeros.read32(pa)).toBe(0x0101_0101 * (i + 1)));
      for (const pa of [0n, 0x2ff8n, 0x6000n, 0xa000n, (1n << 52n) - 8n]) {
        expect(zeros.read64(pa)).toBe(0n);
        const place = zeros.locate(Number(pa >> 12n));
        expect(place?.bank.words.subarray(place.word, place.word + 1024).every((word) => word === 0)).toBe(
          true,
        );
      }
      expect(zeros.banks[0]).toMatchObject({ base: 0n, bytes: 5 * 4096, writable: false, linear: false });
      expect(codeOf(() => zeros.read64(1n << 52n))).toBe('EFAULT');
      expect(zeros.locate(2 ** 40)).toBeNull();
      expect([...zeros.bytesAt(0x5ffen, 4)]).toEqual([4, 4, 0, 0]);
      expect(zeros.bytesAt(0x20000n, 0x30000).every((byte) => byte === 0)).toBe(true);
    });

    test.each([
      [0x2fff8n, 16],
      [0x2fff8n, 8],
      [0x20008n, 0x10000],
      [0x20000n, 0x10000],
      [0x1n, 0xfff],
    ])('has zeros from 0x%x on, over %i bytes and no more', (pa, length) => {
      const bytes = zeros.bytesAt(pa, length);
      expect(bytes).toHaveLength(length);
      expect(bytes.every((byte) => byte === 0)).toBe(true);
    });

    test('has zeros up to the next frame, and no further', () => {
      const first = addresses.filter((pa) => !addresses.includes(pa - 0x1000n));
      expect(first.length).toBeGreaterThan(1);
      for (const pa of first) {
        const bytes = zeros.bytesAt(pa - 16n, 32);
        expect([...bytes.subarray(0, 16)]).toEqual(new Array(16).fill(0));
        expect(bytes.subarray(16).every((byte) => byte !== 0)).toBe(true);
      }
    });

    test('has no larger frame that it holds in part', () => {
      expect(zeros.locate(1, 14)).toBeNull();
      expect(zeros.locate(2, 14)).toBeNull();
      expect(zeros.locate(0, 14)).toBeNull();
      expect(zeros.locate(3, 14)?.word).toBe(5 * 1024 + 0xc000 / 4);
      expect(zeros.locate(1, 16)?.word).toBe(5 * 1024);
    });

    test('refuses writes, and other banks beside it', () => {
      expect(codeOf(() => zeros.write64(0x6000n, 1n))).toBe('EPERM');
      const bank = sparseBank({ pageShift: 12, addresses, bytes: frames(5), zeros: true });
      expect(codeOf(() => PhysicalMemory.of([{ bytes: 4096, base: 1n << 40n }, bank]))).toBe('EINVAL');
    });
  });

  test.each([
    ['no frame', { addresses: [], bytes: new Uint8Array(0) }],
    ['too few bytes', { bytes: frames(1).subarray(8) }],
    ['too many bytes', { bytes: frames(2) }],
    ['bytes of another type', { bytes: new Uint16Array(2048) }],
    ['a misaligned address', { addresses: [0x1800n] }],
    ['an address for another page size', { pageShift: 14, bytes: frames(4) }],
    ['an address beyond 2^52', { addresses: [1n << 52n] }],
    ['an address that is no bigint', { addresses: [4096] }],
    ['an address that cannot be shown', { addresses: [{ toString: null }] }],
    ['an unknown option', { base: 1n }],
    ['a word for zeros', { zeros: 'missing' }],
    ['addresses of another type', { addresses: new Uint32Array(1) }],
    ['a page shift of 13', { pageShift: 13, bytes: frames(2) }],
  ])('refuses %s', (_, o) => {
    const good = { pageShift: 12, addresses: [0x1000n], bytes: frames(1) };
    PhysicalMemory.of([sparseBank(good)]);
    expect(codeOf(() => PhysicalMemory.of([sparseBank(wrong({ ...good, ...o }))]))).toBe('EINVAL');
  });

  test.each([-4096n, 1n << 64n])('refuses the address %s, which is outside 64 bits', (address) => {
    const image = { pageShift: 12, addresses: [address], bytes: frames(1) };
    expect(codeOf(() => sparseBank(image))).toBe('ERANGE');
  });

  test.each([undefined, null, 5])('refuses %s as an image', (image) => {
    expect(codeOf(() => sparseBank(wrong(image)))).toBe('EINVAL');
  });
});
