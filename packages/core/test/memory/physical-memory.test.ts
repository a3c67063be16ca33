import { codeOf, refusal } from '@vmarea/testkit';
import { describe, expect, test, vi } from 'vitest';
import type { BankOptions } from '../../src/memory/bank.js';
import { requireLittleEndian } from '../../src/memory/host.js';
import { PhysicalMemory } from '../../src/memory/physical-memory.js';
import { webAssemblyMemory, wrong } from './support.js';

const TOP = 1n << 52n;

describe('PhysicalMemory', () => {
  test('stores words of 32 and 64 bits in little-endian order', () => {
    const memory = PhysicalMemory.create({ bytes: 8192, base: 0x8000_0000n });
    memory.write64(0x8000_1008n, 0x8877_6655_4433_2211n);
    expect([...memory.bytesAt(0x8000_1008n, 8)]).toEqual([0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88]);
    expect(memory.read32(0x8000_1008n)).toBe(0x4433_2211);
    expect(memory.read32(0x8000_100cn)).toBe(0x8877_6655);
    memory.write32(0x8000_100cn, 0xdead_beef);
    expect(memory.read64(0x8000_1008n)).toBe(0xdead_beef_4433_2211n);
    expect(memory.banks[0]?.words[(0x1008 + 4) / 4]).toBe(0xdead_beef | 0);
  });

  test('reads at numbers what it reads at bigints, in each bank', () => {
    const memory = PhysicalMemory.of([
      { bytes: 4096, base: 0x1000n },
      { bytes: 4096, base: 0xf_0000_0000_0000n },
    ]);
    for (const [pa, value] of [
      [0x1ffcn, 0x7fff_ffff],
      [0xf_0000_0000_0ffcn, 0x8000_0001],
      [0x1000n, 0xffff_fffe],
    ] as const) {
      memory.write32(pa, value);
      expect(memory.readSigned32(Number(pa))).toBe(value | 0);
      expect(memory.readSigned32(Number(pa)) >>> 0).toBe(memory.read32(pa));
    }
  });

  test.each([
    [0x1002, 'EINVAL'],
    [4096.5, 'EINVAL'],
    [Number.NaN, 'EINVAL'],
    [Number.POSITIVE_INFINITY, 'EINVAL'],
    ['4096', 'EINVAL'],
    [0x1000n, 'EINVAL'],
    [undefined, 'EINVAL'],
    [2 ** 53, 'EINVAL'],
    [-4, 'ERANGE'],
    [0x2000, 'EFAULT'],
    [0, 'EFAULT'],
  ])('readSigned32 refuses %s', (pa, code) => {
    const memory = PhysicalMemory.create({ bytes: 4096, base: 0x1000n });
    expect(codeOf(() => memory.readSigned32(wrong(pa)))).toBe(code);
  });

  test('stores a signed value as its bits', () => {
    const memory = PhysicalMemory.create({ bytes: 4096 });
    memory.write32(0n, -1);
    expect(memory.read32(0n)).toBe(0xffff_ffff);
    memory.write64(8n, -(1n << 63n));
    expect(memory.read64(8n)).toBe(1n << 63n);
  });

  test.each([0.5, Number.NaN, 2 ** 32, -(2 ** 31) - 1, '1', undefined])('write32 refuses %s', (value) => {
    const memory = PhysicalMemory.create({ bytes: 4096 });
    expect(codeOf(() => memory.write32(0n, wrong(value)))).toBe('EINVAL');
    expect(memory.read64(0n)).toBe(0n);
  });

  test.each([1, 1n << 64n, -(1n << 63n) - 1n])('write64 refuses %s', (value) => {
    const memory = PhysicalMemory.create({ bytes: 4096 });
    expect(codeOf(() => memory.write64(0n, wrong(value)))).toBe('EINVAL');
    expect(memory.read64(0n)).toBe(0n);
  });

  test('gives a view of its bytes by bytesAt', () => {
    const memory = PhysicalMemory.create({ bytes: 4096 });
    memory.bytesAt(16n, 4).set([1, 2, 3, 4]);
    expect(memory.read32(16n)).toBe(0x0403_0201);
    memory.bytesAt(0n, 4096).fill(9);
    expect(memory.read32(0xffcn)).toBe(0x0909_0909);
  });

  test('works on shared memory', () => {
    const memory = PhysicalMemory.create({ bytes: 4096, shared: true });
    expect(memory.banks[0]?.words.buffer).toBeInstanceOf(SharedArrayBuffer);
    memory.write64(8n, 0xffff_ffff_0000_0001n);
    memory.write32(0n, 0x8000_0000);
    expect(memory.read64(8n)).toBe(0xffff_ffff_0000_0001n);
    expect(memory.read32(0n)).toBe(0x8000_0000);
    expect(memory.read32(12n)).toBe(0xffff_ffff);
  });

  test.each([true, false])('makes each access one atomic where the memory is shared (%s)', (shared) => {
    const memory = PhysicalMemory.create({ bytes: 4096, shared });
    const accesses = [vi.spyOn(Atomics, 'load'), vi.spyOn(Atomics, 'store')];
    memory.write64(8n, 1n);
    memory.write32(0n, 2);
    memory.read64(8n);
    memory.read32(0n);
    expect(accesses.map(({ mock }) => mock.calls.length)).toEqual(shared ? [2, 2] : [0, 0]);
    for (const one of accesses) one.mockRestore();
  });
});

describe('an address', () => {
  const memory = PhysicalMemory.of([
    { bytes: 8192, base: 0x1000n },
    { bytes: 4096, base: 0x8000n },
  ]);

  test.each([
    ['read32', 2n],
    ['read32', 1n],
    ['write32', 2n],
    ['read64', 4n],
    ['write64', 4n],
  ] as const)('must be aligned: %s at %s above a multiple is refused', (name, offset) => {
    const value = name.endsWith('64') ? 1n : 1;
    const error = refusal(() => memory[name](0x1000n + offset, wrong(value)));
    expect(error.code).toBe('EINVAL');
    expect(error.address).toBe(0x1000n + offset);
  });

  test.each([0n, 0xff8n, 0x3000n, 0x7ff8n, 0x9000n, TOP, (1n << 64n) - 8n])(
    'without bytes is EFAULT: %s',
    (pa) => {
      for (const call of [
        () => memory.read32(pa),
        () => memory.read64(pa),
        () => memory.write32(pa, 0),
        () => memory.write64(pa, 0n),
        () => memory.bytesAt(pa, 1),
      ]) {
        const error = refusal(call);
        expect(error.code).toBe('EFAULT');
        expect(error.address).toBe(pa);
        expect(error.message).toContain('0x0000000000001000-0x0000000000002fff');
        expect(error.message).toContain('0x0000000000008000-0x0000000000008fff');
      }
    },
  );

  test.each([
    [-8n, 'ERANGE'],
    [1n << 64n, 'ERANGE'],
    [8, 'EINVAL'],
    ['8', 'EINVAL'],
    [undefined, 'EINVAL'],
  ])('is not %s', (pa, expected) => {
    expect(codeOf(() => memory.read64(wrong(pa)))).toBe(expected);
    expect(codeOf(() => memory.bytesAt(wrong(pa), 1))).toBe(expected);
  });

  test('is named where a range reaches over the end of a bank: the first without bytes', () => {
    expect(memory.bytesAt(0x1ff0n, 0x1010)).toHaveLength(0x1010);
    const error = refusal(() => memory.bytesAt(0x1ff0n, 0x1011));
    expect(error.code).toBe('EFAULT');
    expect(error.address).toBe(0x3000n);
    expect(refusal(() => memory.bytesAt(0x1000n, Number.MAX_SAFE_INTEGER)).address).toBe(0x3000n);
  });

  test('is EFAULT where a range in the middle of a bank reaches over its end', () => {
    const error = refusal(() => memory.bytesAt(0x2000n, 0x1001));
    expect([error.code, error.address]).toEqual(['EFAULT', 0x3000n]);
  });

  test('is named by a value or a length that is refused', () => {
    expect(refusal(() => memory.write32(0x1008n, 2 ** 32)).address).toBe(0x1008n);
    expect(refusal(() => memory.write64(0x1010n, 1n << 64n)).address).toBe(0x1010n);
    expect(refusal(() => memory.bytesAt(0x1018n, 0)).address).toBe(0x1018n);
  });

  test.each([1, 3, 4, 5, 6])('is refused with all of at most four banks, of %i', (count) => {
    const banks = Array.from({ length: count }, (_, i) => ({ bytes: 4096, base: BigInt(i) << 16n }));
    const { message } = refusal(() => PhysicalMemory.of(banks).read32(0x8000n));
    const spans = banks.slice(0, 4).map(({ base }) => {
      const [first, last] = [base, base + 0xfffn].map((pa) => pa.toString(16).padStart(16, '0'));
      return `0x${first}-0x${last}`;
    });
    const others = count > 4 ? ` and ${count - 4} more banks` : '';
    expect(message).toMatch(new RegExp(`there are ${spans.join(', ')}${others}$`));
  });

  test('is named where a range reaches into a second bank', () => {
    const touching = PhysicalMemory.of([{ bytes: 4096 }, { bytes: 4096, base: 0x1000n }]);
    const error = refusal(() => touching.bytesAt(0xff0n, 32));
    expect(error.code).toBe('EINVAL');
    expect(error.address).toBe(0x1000n);
  });

  test.each([0, -1, 1.5, Number.NaN, '1'])('begins no range of %s bytes', (length) => {
    expect(codeOf(() => memory.bytesAt(0x1000n, wrong(length)))).toBe('EINVAL');
  });

  test('is refused with the two banks around it, not all', () => {
    const many = PhysicalMemory.of(
      Array.from({ length: 10 }, (_, i) => ({ bytes: 4096, base: BigInt(i) * 0x10000n })),
    );
    const { message } = refusal(() => many.read32(0x54000n));
    expect(message).toContain('0x0000000000050000');
    expect(message).toContain('0x0000000000060000');
    expect(message).toContain('6 more banks');
    expect(message.length).toBeLessThan(400);
  });
});

describe('a frame', () => {
  test('is located by its bank and the index of its first word', () => {
    const memory = PhysicalMemory.of([
      { bytes: 0x8000, base: 0x3000n },
      { bytes: 0x1000, base: 0xb000n },
    ]);
    const [low, high] = memory.banks;
    expect(memory.locate(3)).toEqual({ bank: low, word: 0 });
    expect(memory.locate(10)).toEqual({ bank: low, word: 0x7000 / 4 });
    expect(memory.locate(11)).toEqual({ bank: high, word: 0 });
    expect([memory.locate(2), memory.locate(12), memory.locate(2 ** 40)]).toEqual([null, null, null]);
    // Of 16 KiB frames, 0 begins below the bank, 1 is inside, 2 would reach into the other bank.
    expect(memory.locate(0, 14)).toBeNull();
    expect(memory.locate(1, 14)).toEqual({ bank: low, word: 0x1000 / 4 });
    expect(memory.locate(2, 14)).toBeNull();
    expect(memory.bankOf(1, 14)).toBe(low);
    expect(memory.bankOf(0, 16)).toBeNull();
  });

  test.each([-1, 0.5, Number.NaN, 1n, '1'])('never has the number %s', (pfn) => {
    const memory = PhysicalMemory.create({ bytes: 4096 });
    expect(codeOf(() => memory.locate(wrong(pfn)))).toBe('EINVAL');
    expect(codeOf(() => memory.bankOf(wrong(pfn), 12))).toBe('EINVAL');
  });

  test('that is not in a bank has the word -1', () => {
    const bank = PhysicalMemory.create({ bytes: 8192 }).banks[0];
    expect([-1, 0, 1, 2, 0.5, Number.NaN].map((pfn) => bank?.wordOf(pfn, 12))).toEqual([
      -1, 0, 1024, -1, -1, -1,
    ]);
  });

  test.each([0, 11, 13, 21, 12.5, null])('never has the page shift %s', (pageShift) => {
    const memory = PhysicalMemory.create({ bytes: 4096 });
    expect(codeOf(() => memory.bankOf(0, wrong(pageShift)))).toBe('EINVAL');
  });
});

describe('PhysicalMemory.over', () => {
  test('takes a part of a buffer', () => {
    const buffer = new ArrayBuffer(16384);
    const memory = PhysicalMemory.over(buffer, { base: 0x10000n, byteOffset: 8, bytes: 8192 });
    memory.write32(0x10000n, 7);
    expect(new Uint8Array(buffer)[8]).toBe(7);
    expect(memory.banks[0]).toMatchObject({ base: 0x10000n, bytes: 8192, writable: true, linear: true });
    expect(memory.banks[0]?.words).toHaveLength(2048);
  });

  test('takes all of a buffer by default', () => {
    expect(PhysicalMemory.over(new SharedArrayBuffer(12288)).banks[0]?.bytes).toBe(12288);
  });

  test('follows a WebAssembly.Memory that grows: the bank keeps its length and gets the new buffer', () => {
    const wasm = webAssemblyMemory({ initial: 1, maximum: 3 });
    const memory = PhysicalMemory.over(wasm, { base: 0x1000n });
    memory.write64(0x1008n, 5n);
    const before = memory.banks[0]?.words;
    wasm.grow(1);
    expect(before).toHaveLength(0);
    expect(memory.read64(0x1008n)).toBe(5n);
    wasm.grow(1);
    expect(memory.read32(0x1008n)).toBe(5);
    memory.write32(0x1000n, 9);
    expect(new Uint32Array(wasm.buffer)[0]).toBe(9);
    expect(memory.banks[0]?.words).toHaveLength(65536 / 4);
    expect(codeOf(() => memory.read32(0x11000n))).toBe('EFAULT');
  });

  test('follows a shared WebAssembly.Memory that grows', () => {
    const wasm = webAssemblyMemory({ initial: 1, maximum: 2, shared: true });
    const memory = PhysicalMemory.over(wasm);
    wasm.grow(1);
    memory.write64(0n, 3n);
    expect(new Uint8Array(wasm.buffer)[0]).toBe(3);
    expect(memory.banks[0]?.bytes).toBe(65536);
  });

  test('refuses calls on a buffer that was transferred away', () => {
    const buffer = new ArrayBuffer(4096);
    const memory = PhysicalMemory.over(buffer, { base: 0x5000n });
    structuredClone(buffer, { transfer: [buffer] });
    for (const call of [
      () => memory.read32(0x5000n),
      () => memory.read64(0x5000n),
      () => memory.banks[0]?.words,
    ]) {
      expect(refusal(call)).toMatchObject({ code: 'EFAULT', address: 0x5000n });
    }
  });

  test('makes a read-only bank, which refuses writes', () => {
    const memory = PhysicalMemory.over(new ArrayBuffer(4096), { writable: false });
    expect(refusal(() => memory.write32(4n, 1))).toMatchObject({ code: 'EPERM', address: 4n });
    expect(refusal(() => memory.write64(8n, 1n))).toMatchObject({ code: 'EPERM', address: 8n });
    expect(memory.bytesAt(0n, 16)).toEqual(new Uint8Array(16));
    expect(memory.banks[0]?.writable).toBe(false);
  });

  test.each([
    ['an offset that is no multiple of 8', { byteOffset: 4, bytes: 4096 }],
    ['a negative offset', { byteOffset: -8 }],
    ['a fractional offset', { byteOffset: 0.5 }],
    ['an offset beyond the end', { byteOffset: 32768 }],
    ['a length beyond the end', { byteOffset: 8, bytes: 16384 }],
    ['a rest that is no multiple of 4096', { byteOffset: 8 }],
  ])('refuses %s', (_, o) => {
    expect(codeOf(() => PhysicalMemory.over(new ArrayBuffer(16384), o))).toBe('EINVAL');
  });

  test('refuses loops over a buffer, and says where they work', () => {
    const loops = { create: () => null, over: () => null };
    expect(refusal(() => PhysicalMemory.over(new ArrayBuffer(8192), wrong({ loops }))).message).toMatch(
      /work on a WebAssembly.Memory, and the source is a buffer; leave `loops` out, or let PhysicalMemory.create make/,
    );
  });

  test('refuses a typed array, whose offset would be lost', () => {
    expect(refusal(() => PhysicalMemory.over(wrong(new Uint8Array(8192)))).message).toContain('byteOffset');
  });

  test.each([null, undefined, 4096, {}, { buffer: [] }])('refuses %s as a source', (source) => {
    expect(codeOf(() => PhysicalMemory.over(wrong(source)))).toBe('EINVAL');
  });
});

describe('PhysicalMemory.create and of', () => {
  test.each([0, -4096, 100, 4097, 4096.5, Number.NaN, Number.POSITIVE_INFINITY, '4096', 4096n, undefined])(
    'refuse a length of %s',
    (bytes) => {
      expect(codeOf(() => PhysicalMemory.create({ bytes: wrong(bytes) }))).toBe('EINVAL');
    },
  );

  test.each([1n, 0x1800n, 4096, TOP, null])('refuse a base of %s', (base) => {
    expect(codeOf(() => PhysicalMemory.create({ bytes: 4096, base: wrong(base) }))).toBe('EINVAL');
  });

  test.each([-4096n, 1n << 64n])('refuse a base of %s, which is outside 64 bits', (base) => {
    expect(codeOf(() => PhysicalMemory.create({ bytes: 4096, base }))).toBe('ERANGE');
  });

  test.each([null, 4096n, true, []])('refuse %s in place of an option object', (placement) => {
    expect(codeOf(() => PhysicalMemory.over(new ArrayBuffer(8192), wrong(placement)))).toBe('EINVAL');
  });

  test.each([
    ['no object', 4096],
    ['an object that only makes memories', { create: () => null }],
    ['an object that only makes loops', { over: () => null }],
  ])('refuse %s as loops', (_, loops) => {
    const error = refusal(() => PhysicalMemory.create({ bytes: 4096, loops: wrong(loops) }));
    expect(error.code).toBe('EINVAL');
    expect(error.message).toContain('pass wasmLoops, or leave it out');
  });

  test('reach up to the last frame below 2^52', () => {
    const memory = PhysicalMemory.create({ bytes: 4096, base: TOP - 4096n });
    memory.write64(TOP - 8n, 1n);
    expect(memory.read64(TOP - 8n)).toBe(1n);
    expect(memory.locate(2 ** 40 - 1)?.word).toBe(0);
    expect(codeOf(() => PhysicalMemory.create({ bytes: 8192, base: TOP - 4096n }))).toBe('EINVAL');
  });

  test('throw ENOMEM when the host lacks the memory', () => {
    expect(codeOf(() => PhysicalMemory.create({ bytes: 2 ** 50 }))).toBe('ENOMEM');
  });

  test('sort banks, let them touch, and refuse banks that overlap', () => {
    const banks = [
      { bytes: 4096, base: 0x4000n },
      { bytes: 8192, base: 0x2000n },
    ];
    expect(PhysicalMemory.of(banks).banks.map((bank) => bank.base)).toEqual([0x2000n, 0x4000n]);
    const error = refusal(() => PhysicalMemory.of([...banks, { bytes: 4096, base: 0x3000n }]));
    expect(error.code).toBe('EINVAL');
    expect(error.message).toContain('0x0000000000002000-0x0000000000003fff');
    expect(codeOf(() => PhysicalMemory.of([{ bytes: 4096 }, { bytes: 4096 }]))).toBe('EINVAL');
  });

  test.each([[[]], [null], [[null]], [[{}]]])('refuse %j as a list of banks', (banks) => {
    expect(codeOf(() => PhysicalMemory.of(wrong<BankOptions[]>(banks)))).toBe('EINVAL');
  });

  test('refuse a big-endian host', () => {
    expect(refusal(() => requireLittleEndian(false)).message).toMatch(/big-endian.*; run on a little-endian/);
    requireLittleEndian();
  });
});
