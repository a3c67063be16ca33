import {
  collapseLeaves,
  FrameAllocator,
  PageTable,
  type PageTableFormat,
  PhysicalMemory,
  wasmLoops,
} from '@vmarea/core';
import { hex } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { configurations, riscv64, riscv64Linux } from '../src/index.js';

const { PAGE_KERNEL } = riscv64Linux().protections;

function machine(format: PageTableFormat) {
  const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 1 << 20 });
  return { memory, table: new PageTable({ format, memory, frames: new FrameAllocator(memory) }) };
}

describe.each(configurations.map((one) => [one.name, one] as const))('%s', (_name, { format, linux }) => {
  const { start } = linux.window;

  test('maps leaves of every level, and walks to their last bytes', () => {
    for (const { shift } of format.levels) {
      if (shift > 39) continue;
      const { table } = machine(format);
      const bytes = 1n << BigInt(shift);
      const va = ((start + bytes - 1n) / bytes) * bytes;
      const pa = bytes > 0x40000000n ? bytes : 0x40000000n;
      table.mapRange(va, pa, bytes, PAGE_KERNEL);
      const walk = table.walk(va + bytes - 1n, { kind: 'write', user: false });
      expect([walk.fault, walk.pa, walk.leaf?.leafShift]).toEqual([null, pa + bytes - 1n, shift]);
      expect(table.walk(va, { kind: 'execute', user: false }).fault?.code).toEqual({
        name: 'scause',
        code: 12,
      });
    }
  });

  test('raises a page fault for an address whose upper bits are not copies of its top bit', () => {
    const { table } = machine(format);
    const va = 1n << BigInt(format.range.bits - 1);
    expect(table.walk(va, { kind: 'read', user: false }).fault).toMatchObject({
      kind: 'address',
      code: { name: 'scause', code: 13 },
    });
  });

  test('unmaps, protects, splits and collapses', () => {
    const { table } = machine(format);
    table.mapRange(start, 0x80000000n, 4 << 20, PAGE_KERNEL);
    table.protect(start + 0x1000n, 4096, { write: false });
    expect(table.walk(start + 0x1000n).leaf?.protection.write).toBe(false);
    expect(table.walk(start).leaf?.protection.write).toBe(true);
    table.protect(start + 0x1000n, 4096, { write: true });
    collapseLeaves(table, start, 4 << 20);
    expect(table.walk(start + 0x1000n).leaf?.leafShift).toBe(21);
    table.unmap(start, 4096);
    expect([table.translate(start), table.translate(start + 0x1000n)]).toEqual([null, 0x80001000n]);
  });
});

test('the engine writes the entries of a kernel: a page, a run, a block, and the tables above', () => {
  const { memory, table } = machine(riscv64());
  const { start } = riscv64Linux().window;
  table.map(start, [0x81234], PAGE_KERNEL);
  table.mapRange(start + 0x10000n, 0x80050000n, 0x10000, PAGE_KERNEL);
  table.mapRange(start + 0x200000n, 0x80200000n, 0x200000, PAGE_KERNEL);
  const entries = (va: bigint) => table.walk(va).steps.map(({ entry }) => hex(entry));
  const page = entries(start);
  expect(page.slice(0, 3).map((entry) => BigInt(entry) & 0x3ffn)).toEqual([1n, 1n, 1n]);
  expect(page[3]).toBe('0x000000002048d0e7');
  // pte_mknapot: bit 13 and bit 63, the same in all sixteen.
  for (let at = 0n; at < 16n; at++) {
    expect(entries(start + 0x10000n + at * 4096n)[3]).toBe('0x80000000200160e7');
    expect(table.translate(start + 0x10000n + at * 4096n)).toBe(0x80050000n + at * 4096n);
  }
  expect(entries(start + 0x200000n)[2]).toBe('0x00000000200800e7');
  expect(memory.banks).toHaveLength(1);
});

test('a reserved entry faults at its level', () => {
  const { memory, table } = machine(riscv64());
  table.map(0n, [5], PAGE_KERNEL);
  const steps = table.walk(0n).steps;
  for (const [level, bits] of [
    [3, 1n << 54n],
    [1, 0x80n],
  ] as const) {
    const { address, entry } = steps[level] as { address: bigint; entry: bigint };
    memory.write64(address, entry | bits);
    expect(table.walk(0n, { kind: 'write', user: false }).fault).toMatchObject({
      ...{ kind: 'reserved', level, code: { name: 'scause', code: 15 } },
    });
    memory.write64(address, entry);
  }
});
