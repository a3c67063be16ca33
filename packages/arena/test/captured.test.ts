import { AddressSpace, FrameAllocator, PhysicalMemory, Process } from '@vmarea/core';
import { loadGuest } from '@vmarea/testkit';
import { x8664FromRegisters, x8664Linux } from '@vmarea/x86-64';
import { expect, test } from 'vitest';
import { createArena } from '../src/index.js';

/*
 * A running Linux 6.12 had an arena of 2,000 pages at 0x110000000000, whose pages a process had read or written.
 */

const guest = loadGuest('linux-6.12-x86-64');
const START = 0x1100_0000_0000n;
const PAGES = 2000;
const END = START + BigInt(PAGES) * 4096n;
/** Software bit of an entry that was written (_PAGE_SOFT_DIRTY), which the guest tracked. */
const SOFT_DIRTY = 0x800n;

test('the same calls give the arena of a running Linux 6.12: window, size, pages and entries', () => {
  const { registers, symbols } = guest.machine;
  const { cr0, cr3, cr4, efer } = registers as Record<'cr0' | 'cr3' | 'cr4' | 'efer', bigint>;
  const { format } = x8664FromRegisters({ cr0, cr3, cr4, efer });
  const linux = x8664Linux({ pti: true, window: { start: symbols.vmalloc_base as bigint } });
  const areas = guest.vmallocinfo().map(({ start, end, info }) => ({
    address: start ?? 0n,
    bytes: (end ?? 0n) - (start ?? 0n),
    caller: info.caller,
  }));
  const captured = areas.find(({ caller }) =>
    caller?.startsWith('arena_map_alloc'),
  ) as (typeof areas)[number];
  const memory = PhysicalMemory.create({ bytes: 16 << 20 });
  const tables = new FrameAllocator(memory, { first: 0, frames: 2048 });
  const ram = new FrameAllocator(memory, { first: 2048, frames: 2048 });
  const kernel = new AddressSpace({
    ...{ format, linux, memory, frames: tables, ram },
    early: areas
      .filter(
        (one) => one !== captured && one.address >= linux.window.start && one.address < linux.window.end,
      )
      .map(({ address, bytes }) => ({ address, bytes })),
  });
  const arena = createArena(kernel, {
    ...{ maxEntries: PAGES, mapExtra: START, release: '6.12', caller: captured.caller as string },
  });
  const area = kernel.findVmArea(arena.kernVmStart);
  expect([area?.addr, area?.size]).toEqual([captured.address, captured.bytes]);
  expect(kernel.vmallocinfo()).toContain(
    guest
      .vmallocinfoText()
      .split('\n')
      .find((line) => line.includes('arena_map_alloc')),
  );

  const process = new Process({ kernel });
  expect(arena.mmap(process)).toBe(START);
  const users = guest.leaves('process').filter(({ va }) => va >= START && va < END);
  expect(users.length).toBeGreaterThan(15);
  for (const { va, flags } of users)
    expect(process.handleFault(va, (flags & 0x40n) === 0n ? 'read' : 'write')).toBe('mapped');

  const kernels = guest
    .leaves('swapper')
    .filter(({ va }) => va >= captured.address && va < captured.address + captured.bytes);
  const entries = (leaves: Iterable<{ va: bigint; count: number; flags: bigint }>) =>
    [...leaves].flatMap(({ va, count, flags }) =>
      Array.from({ length: count }, (_, i) => [va + BigInt(i) * 4096n, flags & ~SOFT_DIRTY]),
    );
  expect(entries(kernel.table.leaves(captured.address, captured.bytes, { complete: true }))).toEqual(
    entries(kernels),
  );
  expect(entries(process.table.leaves(START, END - START, { complete: true }))).toEqual(entries(users));
  // Each page of a user is the page of the kernel, in the guest and here.
  for (const [i, { va, pa }] of users.entries()) {
    expect(pa).toBe(kernels[i]?.pa);
    const low = va & 0xffffffffn;
    expect(process.table.translate(va)).toBe(kernel.table.translate(arena.kernVmStart + low));
  }
  expect(arena.memUsage()).toBe(0n);
});
