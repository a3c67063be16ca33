import {
  type FlushSink,
  FrameAllocator,
  hex,
  PageTable,
  PhysicalMemory,
  protection,
  translateMany,
  wasmLoops,
} from '@vmarea/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Arm64Options, arm64 } from '../src/index.js';

/*
 * The engine's operations on arm64's entries, read back by this file's own walk: Arm ARM, D8.2, "Translation table walk", and
 * D8.3, the figures of the descriptors. This file has its own positions of the address bits, computed as Linux does
 * (`arch/arm64/include/asm/pgtable-hwdef.h`, PTE_ADDR_LOW and PTE_ADDR_HIGH_SHIFT).
 */

const SHIFT = { 4: 12n, 16: 14n, 64: 16n };

function addressOf(entry: bigint, { granule, outputBits = 48 }: Arm64Options): bigint {
  const m = SHIFT[granule];
  const low = (top: bigint) => entry & ((1n << top) - 1n) & ~((1n << m) - 1n);
  if (outputBits === 48) return low(48n);
  return granule === 64 ? low(48n) | ((entry & 0xf000n) << 36n) : low(50n) | ((entry & 0x300n) << 42n);
}

/** The result of a walk: the leaf, its level and the physical address; `null` for an unmapped address. */
function walk(memory: PhysicalMemory, root: bigint, va: bigint, options: Arm64Options) {
  const m = SHIFT[options.granule];
  const perLevel = m - 3n;
  const inside = va & ((1n << BigInt(options.vaBits)) - 1n);
  let level = 4n - (BigInt(options.vaBits) - m + perLevel - 1n) / perLevel;
  let table = root;
  let isRoot = true;
  for (; ; level++) {
    const shift = m + perLevel * (3n - level);
    // The root has the remaining bits. Each level below has a fixed number.
    const slot = isRoot ? inside >> shift : (inside >> shift) & ((1n << perLevel) - 1n);
    const entry = memory.read64(table + 8n * slot);
    if ((entry & 1n) === 0n) return null;
    const address = addressOf(entry, options);
    if (level === 3n || (entry & 2n) === 0n) {
      const size = 1n << shift;
      return { entry, level: Number(level), pa: (address & ~(size - 1n)) + (inside & (size - 1n)) };
    }
    table = address;
    isRoot = false;
  }
}

function make(options: Arm64Options, flush?: FlushSink) {
  const format = arm64(options);
  const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 4 << 20 });
  const frames = new FrameAllocator(memory, { pageShift: format.pageShift });
  const table = new PageTable({ format, memory, frames, ...(flush === undefined ? {} : { sink: flush }) });
  const first = options.half === 'ttbr0' ? 0n : (1n << 64n) - (1n << BigInt(options.vaBits));
  const last = first + (1n << BigInt(options.vaBits)) - (1n << BigInt(format.pageShift));
  return { format, memory, table, first, last };
}

const DATA = protection({ write: true, global: true });

describe('every size of address', () => {
  const all: Arm64Options[] = ([4, 16, 64] as const).flatMap((granule) =>
    ([48, 52] as const).flatMap((outputBits) => {
      const most = granule === 64 || outputBits === 52 ? 52 : 48;
      const least = granule === 64 ? 17 : 16;
      return Array.from({ length: most - least + 1 }, (_, i) => ({ granule, outputBits, vaBits: least + i }));
    }),
  );

  test.each(['ttbr0', 'ttbr1'] as const)(
    'first and last page of %s, at the first and the last frame',
    (half) => {
      for (const one of all) {
        const options = { ...one, half };
        const { format, memory, table, first, last } = make(options);
        const topFrame = 2 ** (format.paBits - format.pageShift) - 1;
        const top = BigInt(topFrame) << BigInt(format.pageShift);
        table.map(first, [0], DATA);
        table.map(last, [topFrame], DATA);
        const where = format.name;
        expect([where, table.translate(first), table.translate(last)]).toEqual([where, 0n, top]);
        expect([where, walk(memory, table.root, first, options)?.pa]).toEqual([where, 0n]);
        expect([where, walk(memory, table.root, last, options)?.pa]).toEqual([where, top]);
        const found = table.translateWords(Number(last >> 32n) | 0, Number(last & 0xffff_ffffn) | 0);
        const many = new Float64Array(2);
        translateMany(table, BigUint64Array.of(first, last), many);
        expect([where, found, ...many]).toEqual([where, topFrame, 0, topFrame]);
        expect(() => table.map(last + (1n << BigInt(format.pageShift)), [1], DATA)).toThrow('ERANGE');
      }
      expect(all).toHaveLength(212);
    },
  );
});

describe('52-bit addresses in an entry', () => {
  test.each([
    [{ granule: 4, vaBits: 52, outputBits: 52 }, 0x000f_8765_4321_0000n, '0x006b876543210703'],
    [{ granule: 16, vaBits: 52, outputBits: 52 }, 0x0009_8765_4321_0000n, '0x0069876543210603'],
    [{ granule: 64, vaBits: 52, outputBits: 52 }, 0x000f_8765_4321_0000n, '0x006887654321f703'],
    [{ granule: 64, vaBits: 52, outputBits: 52 }, 0x0005_8765_4321_0000n, '0x0068876543215703'],
  ] as [Arm64Options, bigint, string][])('%o', (options, pa, entry) => {
    const { format, memory, table, first } = make(options);
    table.mapRange(first, pa, 1 << format.pageShift, DATA);
    expect(hex(walk(memory, table.root, first, options)?.entry ?? 0n)).toBe(entry);
    expect(table.walk(first).pa).toBe(pa);
  });
});

describe('blocks and runs', () => {
  test.each([
    // [granule, vaBits, outputBits, what is mapped (log2), where it must be found: level, log2 of the leaf, marked]
    [4, 48, 48, 16, 3, true],
    [4, 48, 48, 21, 2, false],
    [4, 48, 48, 25, 2, true],
    [4, 48, 48, 30, 1, false],
    [4, 48, 48, 34, 1, true],
    [4, 48, 48, 39, 1, true],
    [4, 48, 52, 39, 0, false],
    [16, 47, 48, 21, 3, true],
    [16, 47, 48, 25, 2, false],
    [16, 47, 48, 30, 2, true],
    [16, 52, 52, 36, 1, false],
    [64, 48, 48, 21, 3, true],
    [64, 48, 48, 29, 2, false],
    [64, 48, 48, 34, 2, true],
    [64, 52, 52, 42, 1, false],
  ] as const)(
    '%iK, %i bits, %i out: 2^%i bytes are of level %i, in a run: %s',
    (granule, vaBits, outputBits, log2, level, marked) => {
      const options = { granule, vaBits, outputBits };
      const { memory, table, first } = make(options);
      const bytes = 1n << BigInt(log2);
      table.mapRange(first + bytes, bytes, bytes, DATA);
      for (const inside of [0n, bytes / 2n, bytes - 1n]) {
        const found = walk(memory, table.root, first + bytes + inside, options);
        expect(found).toMatchObject({ level, pa: bytes + inside });
        expect(((found?.entry ?? 0n) & (1n << 52n)) !== 0n).toBe(marked);
      }
      // With one page less, no leaf has that size.
      const { table: other, memory: bank, first: start } = make(options);
      other.mapRange(start + bytes, bytes, bytes - BigInt(1 << Number(SHIFT[granule])), DATA);
      const under = walk(
        bank,
        other.root,
        start + 2n * bytes - 2n * BigInt(1 << Number(SHIFT[granule])),
        options,
      );
      expect(under?.level === level && ((under.entry & (1n << 52n)) !== 0n) === marked && level < 3).toBe(
        false,
      );
    },
  );

  test('a change inside a run removes the mark from the whole run: invalidate, flush, write', () => {
    const seen: string[] = [];
    let look = (): string => '';
    const sink: FlushSink = { flush: () => void seen.push(look()) };
    const { memory, table, first } = make({ granule: 4, vaBits: 48 }, sink);
    table.mapRange(first, 0x10000n, 0x10000, DATA);
    const leaves = walk.bind(null, memory, table.root);
    look = () => (leaves(first + 0xf000n, { granule: 4, vaBits: 48 }) === null ? 'invalid' : 'valid');
    table.protect(first + 0x3000n, 0x1000, { write: false });
    expect(seen).toContain('invalid');
    const entries = [0n, 0x2000n, 0x3000n, 0x4000n, 0xf000n].map((at) =>
      hex(leaves(first + at, { granule: 4, vaBits: 48 })?.entry ?? 0n),
    );
    expect(entries).toEqual([
      '0x0068000000010703',
      '0x0068000000012703',
      '0x0060000000013783',
      '0x0068000000014703',
      '0x006800000001f703',
    ]);
  });

  test('a change of a whole run keeps the mark, and needs a break too', () => {
    const options = { granule: 16, vaBits: 47 } as const;
    const seen: (string | null)[] = [];
    let look = (): string | null => null;
    const { memory, table, first } = make(options, { flush: () => void seen.push(look()) });
    table.mapRange(first, 0x200000n, 0x200000, DATA);
    const last = first + 0x1fc000n;
    look = () => {
      const found = walk(memory, table.root, last, options);
      return found === null ? null : hex(found.entry);
    };
    expect(look()).toBe('0x00780000003fc703');
    table.protect(first, 0x200000, { write: false });
    expect(seen).toContain(null);
    expect(look()).toBe('0x00700000003fc783');
  });

  test('a page outside of runs changes in place', () => {
    const options = { granule: 4, vaBits: 48 } as const;
    const seen: boolean[] = [];
    let look = (): boolean => false;
    const { memory, table, first } = make(options, { flush: () => void seen.push(look()) });
    table.map(first, [1], DATA);
    look = () => walk(memory, table.root, first, options) !== null;
    table.protect(first, 0x1000, { write: false });
    expect(seen).toEqual([true]);
    table.protect(first, 0x1000, { memory: 'device' });
    expect(seen).toContain(false);
  });

  test('a format without runs makes none', () => {
    const options = { granule: 4, vaBits: 48, contiguous: false } as const;
    const { memory, table, first } = make(options);
    table.mapRange(first, 0x10000n, 0x10000, DATA);
    expect(hex(walk(memory, table.root, first, options)?.entry ?? 0n)).toBe('0x0068000000010703');
  });
});

describe('faults of a walk', () => {
  test('an address beyond the physical size faults at its level', () => {
    const { memory, table, first } = make({ granule: 4, vaBits: 48, paBits: 36 });
    table.map(first, [1], DATA);
    const { steps } = table.walk(first);
    const at = table.root;
    const root = memory.read64(at);
    memory.write64(at, root | (1n << 36n));
    expect(table.walk(first).fault).toEqual({
      kind: 'address-size',
      level: 0,
      code: { name: 'FSC', code: 0 },
    });
    memory.write64(at, 0n);
    expect(table.walk(first).fault).toMatchObject({ kind: 'not-present', code: { name: 'FSC', code: 4 } });
    memory.write64(at, root);
    expect(table.walk(first).steps.map((step) => step.name)).toEqual(steps.map((step) => step.name));
  });

  test('with five levels the root is level −1', () => {
    const { table, first } = make({ granule: 4, vaBits: 52 });
    expect(table.walk(first).fault).toMatchObject({ kind: 'not-present', code: { name: 'FSC', code: 0x2b } });
    expect(table.walk(0n).fault).toMatchObject({ kind: 'address', code: { name: 'FSC', code: 4 } });
  });
});

test('after random calls, a walk of this file agrees with a plain map', () => {
  const shapes: Arm64Options[] = [
    { granule: 4, vaBits: 39 },
    { granule: 4, vaBits: 52, outputBits: 52 },
    { granule: 16, vaBits: 36, half: 'ttbr0' },
    { granule: 64, vaBits: 42, contiguous: false },
  ];
  const call = fc.record({
    kind: fc.constantFrom('map', 'unmap', 'read-only', 'writable'),
    start: fc.nat(160),
    count: fc.integer({ min: 1, max: 80 }),
    pfn: fc.nat(64),
  });
  fc.assert(
    fc.property(fc.nat(shapes.length - 1), fc.array(call, { maxLength: 12 }), (index, calls) => {
      const options = shapes[index] as Arm64Options;
      const { format, memory, table, first } = make(options);
      const pageBytes = 1n << BigInt(format.pageShift);
      const model = new Map<number, { pfn: number; write: boolean }>();
      for (const { kind, start, count, pfn } of calls) {
        const pages = Array.from({ length: count }, (_, i) => start + i);
        const va = first + BigInt(start) * pageBytes;
        const bytes = BigInt(count) * pageBytes;
        if (kind === 'map') {
          if (pages.some((page) => model.has(page))) continue;
          table.mapRange(va, BigInt(pfn) * pageBytes, bytes, DATA);
          for (const [i, page] of pages.entries()) model.set(page, { pfn: pfn + i, write: true });
        } else if (kind === 'unmap') {
          table.unmap(va, bytes);
          for (const page of pages) model.delete(page);
        } else {
          const write = kind === 'writable';
          if (pages.some((page) => !model.has(page))) continue;
          table.protect(va, bytes, { write });
          for (const page of pages) (model.get(page) as { write: boolean }).write = write;
        }
      }
      for (let page = 0; page < 256; page++) {
        const found = walk(memory, table.root, first + BigInt(page) * pageBytes, options);
        const wanted = model.get(page);
        const got = found && { pfn: Number(found.pa / pageBytes), write: (found.entry & 0x80n) === 0n };
        expect(got ?? undefined).toEqual(wanted);
      }
    }),
    { numRuns: 60 },
  );
});
