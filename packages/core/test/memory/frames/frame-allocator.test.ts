import { codeOf, refusal } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { FrameAllocator } from '../../../src/memory/frames/frame-allocator.js';
import { PhysicalMemory } from '../../../src/memory/physical-memory.js';
import { sparseBank } from '../../../src/memory/sparse-bank.js';
import { snapshot, wrong } from '../support.js';

const MiB = 2 ** 20;

function expectOnly(blocks: Record<number, number>): number[] {
  return Array.from({ length: 19 }, (_, order) => blocks[order] ?? 0);
}

describe('allocate', () => {
  test('gives the lowest block, aligned by its frame number', () => {
    const frames = new FrameAllocator(null, { first: 0x105, frames: 64 });
    expect(frames.allocate()).toBe(0x105);
    expect(frames.allocate(1)).toBe(0x106);
    expect(frames.allocate(4)).toBe(0x110);
    expect(frames.allocate(3)).toBe(0x108);
    expect(frames.allocate(2)).toBe(0x120);
    expect(frames.allocate()).toBe(0x124);
  });

  test('splits the lowest block that fits, and takes its lower part', () => {
    const frames = new FrameAllocator(null, { first: 0, frames: 16 });
    expect(frames.allocate()).toBe(0);
    expect(frames.stats()).toEqual({
      total: 16,
      free: 15,
      allocated: 1,
      reserved: 0,
      freeBlocks: expectOnly({ 0: 1, 1: 1, 2: 1, 3: 1 }),
      largestOrder: 3,
      fragmentation: 1 - 8 / 15,
    });
    expect(frames.allocate(1)).toBe(2);
    expect(frames.allocate(1)).toBe(4);
    expect(frames.allocate()).toBe(1);
  });

  test('splits a large block where it lies lower than a smaller one', () => {
    const frames = new FrameAllocator(null, { first: 0x1000, frames: 5184 });
    expect(frames.stats().freeBlocks).toEqual(expectOnly({ 12: 1, 10: 1, 6: 1 }));
    expect(frames.allocate()).toBe(0x1000);
    expect(frames.allocate(6)).toBe(0x1040);
    expect([...frames.allocateMany(3)]).toEqual([0x1001, 0x1002, 0x1003]);
  });

  test('gets whole blocks back when buddies are freed, in any order', () => {
    const frames = new FrameAllocator(null, { first: 8, frames: 8 });
    const all = Array.from({ length: 8 }, () => frames.allocate());
    expect(frames.stats()).toMatchObject({ free: 0, largestOrder: -1, fragmentation: 0 });
    for (const i of [3, 0, 6, 2, 5, 1, 7, 4]) frames.free(all[i] as number);
    expect(frames.stats()).toMatchObject({ freeBlocks: expectOnly({ 3: 1 }), fragmentation: 0 });
  });

  test('gets no block from neighbours that are not buddies', () => {
    const frames = new FrameAllocator(null, { first: 1, frames: 2 });
    expect(frames.stats()).toMatchObject({ freeBlocks: expectOnly({ 0: 2 }), fragmentation: 0.5 });
    expect(frames.tryAllocate(1)).toBe(-1);
  });

  test('gives every order up to 18', () => {
    const frames = new FrameAllocator(null, { first: 3, frames: 3 * 2 ** 18 });
    for (let order = 18; order >= 0; order--) {
      const pfn = frames.allocate(order);
      expect(pfn % 2 ** order).toBe(0);
      expect(pfn).toBeGreaterThanOrEqual(3);
    }
    expect(frames.stats().allocated).toBe(2 ** 19 - 1);
  });

  test('throws ENOMEM when nothing is left; tryAllocate gives -1', () => {
    const frames = new FrameAllocator(null, { first: 0, frames: 6 });
    expect(frames.tryAllocate(3)).toBe(-1);
    expect(frames.tryAllocate(18)).toBe(-1);
    const error = refusal(() => frames.allocate(3));
    expect(error.code).toBe('ENOMEM');
    expect(error.message).toContain('6 of 6 frames are free, the largest free block has order 2');
    frames.allocate(2);
    frames.allocate(1);
    expect(frames.tryAllocate()).toBe(-1);
    expect(codeOf(() => frames.allocate())).toBe('ENOMEM');
  });

  test('gives frame numbers up to the last below 2^52 bytes', () => {
    const top = new FrameAllocator(null, { first: 2 ** 40 - 5, frames: 5 });
    expect([top.allocate(2), top.allocate()]).toEqual([2 ** 40 - 4, 2 ** 40 - 5]);
    top.free(2 ** 40 - 4, 2);
    expect(codeOf(() => new FrameAllocator(null, { first: 2 ** 40 - 5, frames: 6 }))).toBe('EINVAL');
    const large = { pageShift: 16, first: 2 ** 36 - 1 };
    expect(new FrameAllocator(null, { ...large, frames: 1 }).allocate()).toBe(2 ** 36 - 1);
    expect(codeOf(() => new FrameAllocator(null, { ...large, frames: 2 }))).toBe('EINVAL');
  });

  test('serves 512 GiB, of whose state only the used part becomes resident', () => {
    const frames = new FrameAllocator(null, { first: 2 ** 24, frames: 2 ** 27 });
    expect(frames.stats().freeBlocks).toEqual(expectOnly({ 18: 512 }));
    expect(frames.allocate(18)).toBe(2 ** 24);
    expect(frames.allocate()).toBe(2 ** 24 + 2 ** 18);
    const many = frames.allocateMany(1000);
    expect(many[999]).toBe(2 ** 24 + 2 ** 18 + 1000);
    frames.freeMany(many);
    frames.free(2 ** 24 + 2 ** 18);
    frames.free(2 ** 24, 18);
    expect(frames.stats().freeBlocks).toEqual(expectOnly({ 18: 512 }));
  });
});

describe('allocateMany and freeMany', () => {
  test('give the frames that single allocations give', () => {
    const options = { first: 3, frames: 200, reserved: [{ pfn: 70, frames: 3 }] };
    const one = new FrameAllocator(null, options);
    const many = new FrameAllocator(null, options);
    for (const count of [0, 1, 5, 2, 64, 33, 92]) {
      const singly = Array.from({ length: count }, () => one.allocate());
      expect([...many.allocateMany(count)]).toEqual(singly);
      expect(snapshot(many.state)).toEqual(snapshot(one.state));
    }
    expect(many.stats().free).toBe(0);
  });

  test.each([undefined, 5])('give all frames or none (scatter %s)', (scatter) => {
    const frames = new FrameAllocator(null, { first: 0, frames: 10, ...(scatter && { scatter }) });
    const before = snapshot(frames.state);
    expect(codeOf(() => frames.allocateMany(11))).toBe('ENOMEM');
    expect(codeOf(() => frames.allocateMany(Number.MAX_SAFE_INTEGER))).toBe('ENOMEM');
    expect(snapshot(frames.state)).toEqual(before);
    expect([...frames.allocateMany(10)].sort((a, b) => a - b)).toEqual([...Array(10).keys()]);
  });

  test.each([-1, 1.5, Number.NaN, '1', undefined])('refuse %s as a count', (count) => {
    const frames = new FrameAllocator(null, { first: 0, frames: 10 });
    expect(codeOf(() => frames.allocateMany(wrong(count)))).toBe('EINVAL');
  });

  test('free lists of any kind', () => {
    const frames = new FrameAllocator(null, { first: 0, frames: 8 });
    const before = snapshot(frames.state);
    const kinds = [
      (pfns: Float64Array) => pfns,
      (pfns: Float64Array) => Uint32Array.from(pfns),
      (pfns: Float64Array) => [...pfns],
    ];
    for (const kind of kinds) {
      frames.freeMany(kind(frames.allocateMany(5)));
      expect(snapshot(frames.state)).toEqual(before);
    }
    frames.freeMany([]);
    expect(snapshot(frames.state)).toEqual(before);
  });
});

describe('the options of FrameAllocator', () => {
  test('reserve frames, which are never given out', () => {
    const reserved = [
      { pfn: 12, frames: 4 },
      { pfn: 5, frames: 2 },
      { pfn: 6, frames: 3 },
      { pfn: 19, frames: 1 },
    ];
    const frames = new FrameAllocator(null, { first: 4, frames: 16, reserved });
    expect(frames.stats()).toMatchObject({ total: 16, free: 7, allocated: 0, reserved: 9, largestOrder: 1 });
    const all = Array.from({ length: 7 }, () => frames.allocate()).sort((a, b) => a - b);
    expect(all).toEqual([4, 9, 10, 11, 16, 17, 18]);
  });

  test('may reserve everything', () => {
    const frames = new FrameAllocator(null, { first: 4, frames: 3, reserved: [{ pfn: 4, frames: 3 }] });
    expect(frames.stats()).toMatchObject({ free: 0, reserved: 3, largestOrder: -1 });
    expect(frames.tryAllocate()).toBe(-1);
  });

  test.each([
    ['ERANGE', { pfn: 9, frames: 1 }],
    ['ERANGE', { pfn: 26, frames: 1 }],
    ['ERANGE', { pfn: 25, frames: 2 }],
    ['EINVAL', { pfn: 12, frames: 0 }],
    ['EINVAL', { pfn: 12.5, frames: 1 }],
    ['EINVAL', { pfn: 12, frames: -1 }],
    ['EINVAL', { pfn: 12 }],
  ])('are refused with %s for the reserved range %j', (expected, range) => {
    expect(codeOf(() => new FrameAllocator(null, { first: 10, frames: 16, reserved: [wrong(range)] }))).toBe(
      expected,
    );
  });

  test.each([
    { pageShift: 13 },
    { first: -1 },
    { first: 0.5 },
    { first: '0' },
    { frames: 0 },
    { frames: 2 ** 30 + 1 },
    { frames: Number.NaN },
    { scatter: -1 },
    { scatter: 2 ** 32 },
    { scatter: 0.5 },
    { scatter: null },
    { shared: 'false' },
    { shared: null },
    { first: null },
    { frames: null },
    { reserved: {} },
    { reserved: null },
    { reserved: [null] },
    { reserved: [{ pfn: 1, frames: 1, order: 0 }] },
    { first: undefined },
    { frames: undefined },
  ])('are refused with EINVAL for %j', (o) => {
    expect(codeOf(() => new FrameAllocator(null, wrong({ first: 0, frames: 8, ...o })))).toBe('EINVAL');
  });
});

describe('FrameAllocator over a memory', () => {
  test('takes the whole frames of the first bank by default', () => {
    const memory = PhysicalMemory.create({ bytes: MiB + 4096, base: 0x3000n });
    expect(new FrameAllocator(memory)).toMatchObject({ pageShift: 12, first: 3, frames: 257 });
    expect(new FrameAllocator(memory, { pageShift: 14 })).toMatchObject({ first: 1, frames: 64 });
    expect(new FrameAllocator(memory, { pageShift: 16 })).toMatchObject({ first: 1, frames: 15 });
  });

  test('takes a part of a bank', () => {
    const memory = PhysicalMemory.of([{ bytes: MiB }, { bytes: MiB, base: 0x1000_0000n }]);
    expect(new FrameAllocator(memory, { first: 0x10010 })).toMatchObject({ first: 0x10010, frames: 240 });
    expect(new FrameAllocator(memory, { frames: 10 })).toMatchObject({ first: 0, frames: 10 });
    expect(new FrameAllocator(memory, { first: 7, frames: 10 })).toMatchObject({ first: 7, frames: 10 });
  });

  test('takes several banks when the holes between them are reserved', () => {
    const memory = PhysicalMemory.of([
      { bytes: 8192 },
      { bytes: 8192, base: 0x2000n },
      { bytes: 8192, base: 0x6000n },
    ]);
    const error = refusal(() => new FrameAllocator(memory, { first: 0, frames: 8 }));
    expect(error).toMatchObject({ code: 'EFAULT', address: 0x4000n });
    const frames = new FrameAllocator(memory, { first: 0, frames: 8, reserved: [{ pfn: 4, frames: 2 }] });
    expect([frames.allocate(2), frames.allocate(1)]).toEqual([0, 6]);
    expect(codeOf(() => new FrameAllocator(memory, { first: 6, frames: 3 }))).toBe('EFAULT');
    expect(codeOf(() => new FrameAllocator(memory, { first: 4 }))).toBe('EFAULT');
  });

  test('refuses read-only frames', () => {
    const image = PhysicalMemory.of([
      sparseBank({ pageShift: 12, addresses: [0n], bytes: new Uint8Array(4096) }),
    ]);
    expect(codeOf(() => new FrameAllocator(image))).toBe('EPERM');
    expect(codeOf(() => new FrameAllocator(image, { first: 0, frames: 1 }))).toBe('EPERM');
  });

  test('names the read-only bank, and says what to give instead of it', () => {
    const bytes = new Uint8Array(4096);
    const image = PhysicalMemory.of([sparseBank({ pageShift: 12, addresses: [0x5000n], bytes })]);
    const whole = refusal(() => new FrameAllocator(image));
    expect(whole.message).toMatch(/name first and frames of a writable bank$/);
    expect(whole.address).toBe(0x5000n);
    const named = refusal(() => new FrameAllocator(image, { first: 5, frames: 1 }));
    expect(named.message).toMatch(/frame 0x5 is in a read-only image$/);
    expect(named.address).toBe(0x5000n);
  });

  test('needs no bytes for a reserved frame, the first one included', () => {
    const memory = PhysicalMemory.create({ bytes: 8192, base: 0x4000n });
    const reserved = [{ pfn: 2, frames: 2 }];
    const frames = new FrameAllocator(memory, { first: 2, frames: 4, reserved });
    expect([frames.allocate(), frames.allocate(), frames.tryAllocate()]).toEqual([4, 5, -1]);
  });

  test.each([undefined, {}, 4096, 'memory', [], () => null])('refuses %s in place of a memory', (memory) => {
    const error = refusal(() => new FrameAllocator(wrong(memory), { first: 0, frames: 1 }));
    expect(error.code).toBe('EINVAL');
    expect(error.message).toContain('a PhysicalMemory, or null for frames without bytes');
  });

  test('names a frame without bytes, and says how to have such frames', () => {
    const memory = PhysicalMemory.create({ bytes: 8192, base: 0x4000n });
    for (const options of [{ first: 6, frames: 2 }, { first: 5, frames: 2 }, { first: 6 }]) {
      const error = refusal(() => new FrameAllocator(memory, options));
      expect(error.message).toMatch(/no bytes for frame 0x6; give null as memory .*, or reserve the frame$/);
      expect([error.code, error.address]).toEqual(['EFAULT', 0x6000n]);
    }
  });

  test('refuses a bank without a whole frame', () => {
    const memory = PhysicalMemory.create({ bytes: 8192, base: 0x1000n });
    const error = refusal(() => new FrameAllocator(memory, { pageShift: 14 }));
    expect([error.code, error.address]).toEqual(['EINVAL', 0x1000n]);
  });
});

describe('scatter', () => {
  const options = { first: 100, frames: 4000, scatter: 7 };

  test('gives the same frames for the same seed, and others for another seed', () => {
    const [a, b, c] = [7, 7, 8].map((scatter) =>
      new FrameAllocator(null, { ...options, scatter }).allocateMany(50),
    );
    expect(a).toEqual(b);
    expect(a).not.toEqual(c);
  });

  test('gives the same frames one by one as by allocateMany', () => {
    const one = new FrameAllocator(null, options);
    const singly = Array.from({ length: 300 }, () => one.allocate());
    expect([...new FrameAllocator(null, options).allocateMany(300)]).toEqual(singly);
  });

  test('spreads frames over the whole range, few of them neighbours', () => {
    const pfns = new FrameAllocator(null, options).allocateMany(400);
    const tenths = new Set([...pfns].map((pfn) => Math.floor((pfn - 100) / 400)));
    expect(tenths.size).toBe(10);
    const neighbours = [...pfns].filter((pfn, i) => i > 0 && Math.abs(pfn - (pfns[i - 1] as number)) === 1);
    expect(neighbours.length).toBeLessThan(10);
  });

  test('gives each seed another first frame, anywhere in the range', () => {
    const firsts = Array.from({ length: 200 }, (_, scatter) =>
      new FrameAllocator(null, { first: 0, frames: 1024, scatter }).allocate(),
    );
    // 200 draws out of 1024 hit 182 different frames on average.
    expect(new Set(firsts).size).toBeGreaterThan(160);
    expect(firsts.filter((pfn) => pfn % 2 === 1).length).toBeGreaterThan(70);
  });

  test('scatters blocks too, until none is left', () => {
    const frames = new FrameAllocator(null, { first: 0, frames: 256, scatter: 0 });
    const blocks = Array.from({ length: 32 }, () => frames.allocate(3));
    expect([...blocks].sort((a, b) => a - b)).toEqual(Array.from({ length: 32 }, (_, i) => i * 8));
    expect(blocks).not.toEqual([...blocks].sort((a, b) => a - b));
    expect(frames.tryAllocate()).toBe(-1);
  });

  test('draws no number for an allocation that fails', () => {
    const frames = new FrameAllocator(null, { first: 0, frames: 8, scatter: 0 });
    const before = snapshot(frames.state);
    expect(frames.tryAllocate(4)).toBe(-1);
    expect(snapshot(frames.state)).toEqual(before);
  });
});
