import { type FlushSink, FrameAllocator, PageTable, PhysicalMemory, protection } from '@vmarea/core';
import { ModelTlb } from '@vmarea/testkit';
import { x8664 } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';

const format = x8664();
const WRITE = protection({ write: true });
const MiB = 2n ** 20n;

/** A page table whose flushes reach a TLB changed by `pass`; `null` drops one. */
function cached(pass: (va: bigint, bytes: bigint, leafShift: number) => [bigint, bigint, number] | null) {
  const memory = PhysicalMemory.create({ bytes: 2 ** 17 });
  const frames = new FrameAllocator(memory);
  const tlb = new ModelTlb(format);
  const sink: FlushSink = {
    flush(va, bytes, leafShift, tables) {
      const passed = pass(va, bytes, leafShift);
      if (passed !== null) tlb.flush(...passed, tables);
    },
  };
  const table = new PageTable({ format, memory, frames, sink });
  Object.assign(tlb, { memory, frames, root: table.root });
  return { table, tlb, memory, frames };
}

const whole = (...flush: [bigint, bigint, number]) => flush;

describe('ModelTlb', () => {
  test('holds nothing stale when each change is flushed', () => {
    const { table, tlb } = cached(whole);
    table.map(0x1000n, [1, 2, 3], WRITE);
    tlb.fill([0x1000n, 0x2000n, 0x3000n]);
    table.protect(0x1000n, 0x1000n, { write: false });
    table.unmap(0x2000n, 0x1000n);
    tlb.expectFresh();
  });

  test.each<[string, Parameters<typeof cached>[0], string]>([
    ['missing', () => null, '0x0000000000001000'],
    ['a page short', (va, bytes, leafShift) => [va, bytes - 0x1000n, leafShift], '0x0000000000003000'],
    ['of a stride that passes over a page', (va, bytes) => [va, bytes, 21], '0x0000000000002000'],
  ])('shows a flush that is %s', (_, pass, stale) => {
    const { table, tlb } = cached(pass);
    table.map(0x1000n, [1, 2, 3], WRITE);
    tlb.fill([0x1000n, 0x2000n, 0x3000n]);
    table.unmap(0x1000n, 0x3000n);
    expect(() => tlb.expectFresh()).toThrow(new RegExp(`^cached ${stale}: .* but the tables say nothing$`));
  });

  test('drops a block when a flush visits one of its pages', () => {
    const { table, tlb } = cached(whole);
    table.mapRange(2n * MiB, 0n, 2n * MiB, WRITE);
    tlb.fill([2n * MiB, 3n * MiB]);
    table.unmap(2n * MiB, 2n * MiB);
    tlb.expectFresh();
  });

  test('leaves out the pages whose flush is owed', () => {
    const { table, tlb } = cached(() => null);
    table.map(0x1000n, [1], WRITE);
    tlb.fill([0x1000n]);
    table.unmap(0x1000n, 0x1000n);
    tlb.expectFresh([{ va: 0x1000n, bytes: 0x1000n }]);
    tlb.clear();
    tlb.expectFresh();
  });

  test('walks again inside a flush with refills, so that it sees the entries of that moment', () => {
    const { table, tlb, memory } = cached(whole);
    tlb.refills = true;
    table.map(0x1000n, [1], WRITE);
    tlb.fill([0x1000n]);
    const { address, entry } = table.walk(0x1000n).steps.at(-1) as { address: bigint; entry: bigint };
    tlb.flush(0x1000n, 0x1000n, 12, []);
    memory.write64(address, entry & ~2n);
    expect(() => tlb.expectFresh()).toThrow(/^cached 0x0000000000001000/);
  });

  test.each<[string, [bigint, bigint, number]]>([
    ['it is empty', [0x1000n, 0n, 12]],
    ['it begins inside a page', [0x1008n, 0x1000n, 12]],
    ['it is outside the range of the format', [0x8000_0000_0000n, 0x1000n, 12]],
    ['it crosses the canonical hole', [0x7fff_ffff_f000n, 0xffff_0000_0000_2000n, 12]],
    ['no level has leaves of 2^13 bytes', [0x1000n, 0x1000n, 13]],
  ])('refuses a flush: %s', (why, flush) => {
    const { tlb } = cached(whole);
    expect(() => tlb.flush(...flush, [])).toThrow(why);
  });

  test('refuses a flush that names a table whose frame is free already', () => {
    const { table, tlb, frames } = cached(whole);
    table.map(0x1000n, [1], WRITE);
    const pfn = Number((table.walk(0x1000n).steps[3] as { table: bigint }).table >> 12n);
    tlb.flush(0x1000n, 0x1000n, 12, [pfn]);
    expect(tlb.named).toEqual(new Set([pfn]));
    frames.free(pfn);
    expect(() => tlb.flush(0x1000n, 0x1000n, 12, [pfn])).toThrow(/double free/);
  });
});
