import type { PageTableFormat } from '@vmarea/core';
import {
  FrameAllocator,
  hex,
  PageTable,
  PageTableReader,
  PhysicalMemory,
  protection,
  VmError,
  wasmLoops,
} from '@vmarea/core';
import { thrown, walkBytes } from '@vmarea/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../../formats/arm64.js';
import { formats } from '../../formats/index.js';

/*
 * Tables anywhere in physical memory: every call that reads must agree with a walk over the bytes, also for addresses beside the
 * range and for entries with one bit inverted.
 */

const WRITE = protection({ write: true });
const TOP = 1n << 64n;

/** Not all are multiples of 16K or 64K: the allocator takes the whole frames inside. */
const BASES = [
  0n,
  0x1000n,
  0x41000n,
  0x50000n,
  (1n << 32n) - 0x83000n,
  (1n << 32n) + 0x41000n,
  (1n << 33n) - 0x40000n,
  (1n << 44n) - 0x100000n,
  (1n << 44n) + 0x41000n,
  (1n << 47n) - 0x400000n,
];
const FRAMES = 48;

interface Case {
  base: bigint;
  /** A second bank beside that of the tables, so that the walk has to look up the bank. */
  isSplit: boolean;
  /** Seeds of addresses and frames. */
  maps: [va: bigint, pfn: bigint, isBlock: boolean][];
  probes: [kind: number, which: number, bits: bigint][];
  flips: [which: number, step: number, bit: number][];
}

const word = fc.bigInt({ min: 0n, max: TOP - 1n });
const cases = fc.record<Case>({
  base: fc.constantFrom(...BASES),
  isSplit: fc.boolean(),
  maps: fc.array(fc.tuple(word, word, fc.boolean()), { minLength: 1, maxLength: 6 }),
  probes: fc.array(fc.tuple(fc.nat(3), fc.nat(5), word), { minLength: 20, maxLength: 40 }),
  flips: fc.array(fc.tuple(fc.nat(5), fc.nat(4), fc.nat(63)), { maxLength: 24 }),
});

/** The address of the format's range that has these low bits. */
function inRange({ range, pageShift }: PageTableFormat, seed: bigint): bigint {
  const low = seed & ((1n << BigInt(range.bits)) - (1n << BigInt(pageShift)));
  if (range.upper === 'zeros') return low;
  if (range.upper === 'ones') return low + TOP - (1n << BigInt(range.bits));
  return BigInt.asUintN(64, BigInt.asIntN(range.bits, low));
}

/** The physical address of a page, by its bytes; `null` where there is none, or where a table has no bytes. */
function expectedOf(
  format: PageTableFormat,
  memory: PhysicalMemory,
  root: bigint,
  va: bigint,
): bigint | null {
  const offset = va & ((1n << BigInt(format.pageShift)) - 1n);
  if (inRange(format, va) !== va - offset) return null;
  try {
    const found = walkBytes(format, memory, root, va - offset);
    return found === null ? null : found.pa + offset;
  } catch (error) {
    if (error instanceof VmError && error.code === 'EFAULT') return null;
    throw error;
  }
}

function run(format: PageTableFormat, { base, isSplit, maps, probes, flips }: Case): void {
  const pageShift = BigInt(format.pageShift);
  const bank = { bytes: (FRAMES + 1) * 2 ** format.pageShift, base };
  if (base + BigInt(bank.bytes) > 1n << BigInt(Math.min(format.paBits, 52))) return;
  const other = { bytes: 4096, base: base + (1n << 34n) };
  const memory = isSplit ? PhysicalMemory.of([bank, other]) : PhysicalMemory.create(bank);
  const first = Number((base + (1n << pageShift) - 1n) >> pageShift);
  const frames = new FrameAllocator(memory, {
    pageShift: format.pageShift,
    first,
    frames: FRAMES,
    scatter: 7,
  });
  const table = new PageTable({ format, memory, frames });

  const check = (va: bigint): void => {
    const want = expectedOf(format, memory, table.root, va);
    const what = `${hex(va)} in a bank at ${hex(base)}`;
    expect(table.translate(va), what).toBe(want);
    const pfn = table.translateWords(Number(va >> 32n), Number(va & 0xffffffffn));
    expect(pfn, what).toBe(want === null ? -1 : Number(want >> pageShift));
    const walk = table.walk(va);
    expect(walk.pa, what).toBe(want);
    expect(walk.leaf === null, what).toBe(want === null);
  };

  const limit = 1n << BigInt(format.paBits - format.pageShift);
  const block = format.levels.at(-2);
  const mapped: bigint[] = [];
  for (const [seed, frame, isBlock] of maps) {
    const pfn = frame % limit;
    const size = block !== undefined && isBlock ? 1n << BigInt(block.shift) : 1n << pageShift;
    const va = inRange(format, seed - (seed % size));
    const pa = (pfn << pageShift) - ((pfn << pageShift) % size);
    const code = thrown(() => table.mapRange(va, pa, size, WRITE)).split(' ')[0];
    expect(['none', 'EBUSY', 'ENOMEM']).toContain(code);
    if (code === 'none') {
      expect(table.translate(va + size - 1n)).toBe(pa + size - 1n);
      mapped.push(va);
    }
  }
  const pick = (which: number): bigint => mapped[which % mapped.length] as bigint;
  if (mapped.length === 0) return;

  for (const [kind, which, bits] of probes) {
    const near = [
      pick(which) + (bits & 0xfffffn),
      pick(which) ^ (1n << (bits & 63n)),
      inRange(format, bits),
      bits,
    ][kind] as bigint;
    check(BigInt.asUintN(64, near));
  }
  for (const [which, step, bit] of flips) {
    const va = pick(which);
    const { steps } = table.walk(va);
    const { address, entry } = steps[step % steps.length] as { address: bigint; entry: bigint };
    memory.write64(address, entry ^ (1n << BigInt(bit)));
    check(va);
    check(va + 0x1234n);
    memory.write64(address, entry);
  }
}

describe.each(
  [...formats, arm64({ granule: 4, vaBits: 48, paBits: 48 })].map((format) => [format.name, format] as const),
)('a table of %s anywhere in physical memory', (_name, format) => {
  test('reads as its bytes say', () => {
    fc.assert(
      fc.property(cases, (one) => run(format, one)),
      { numRuns: 30, seed: 99 },
    );
  });
});

describe('physical addresses that a format cannot hold', () => {
  const wide = arm64({ granule: 4, vaBits: 48 });
  const narrow = arm64({ granule: 4, vaBits: 48, paBits: 40 });
  const at = (base: bigint) => {
    const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 0x10000, base });
    return { memory, frames: new FrameAllocator(memory) };
  };

  test('are refused for the frames of new tables', () => {
    const above = at(1n << 40n);
    const message = 'EINVAL: frame 0x1000000f does not fit 40 physical address bits';
    expect(thrown(() => new PageTable({ format: narrow, ...above }))).toBe(message);
    expect(thrown(() => new PageTable({ format: narrow, ...at((1n << 40n) - 0x1000n) }))).toMatch(
      /^EINVAL: frame 0x1000000e/,
    );
    expect(thrown(() => new PageTable({ format: narrow, ...at((1n << 40n) - 0xf000n) }))).toMatch(
      /^EINVAL: frame 0x10000000 does/,
    );
    expect(above.frames.stats().allocated).toBe(0);
    const last = new PageTable({ format: narrow, ...at((1n << 40n) - 0x10000n) });
    last.map(0xffff000000000000n, [5], WRITE);
    expect(last.translate(0xffff000000000000n)).toBe(0x5000n);
  });

  test('are refused for a root that is opened', () => {
    const { memory, frames } = at(1n << 41n);
    const made = new PageTable({ format: wide, memory, frames });
    const open = (format: PageTableFormat, root: bigint) =>
      thrown(() => new PageTableReader({ format, memory, root }));
    expect(open(wide, made.root)).toBe('none');
    expect(open(narrow, made.root)).toBe('EINVAL: the root 0x20000000000 does not fit 40 address bits');
    for (const root of [1n << 64n, (1n << 64n) + made.root, 1n << 80n, -4096n]) {
      expect(open(wide, root)).toMatch(/^ERANGE: the root .* is outside 64 bits/);
    }
  });
});
