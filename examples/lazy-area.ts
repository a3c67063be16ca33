/**
 * Memory that grows only when it is used: a simulated processor writes through a small loop that walks, faults and tries again.
 */

import { arm64, arm64Linux } from '@vmarea/arm64';
import { AddressSpace, FrameAllocator, PhysicalMemory } from '@vmarea/core';

const memory = PhysicalMemory.create({ bytes: 64 << 20 });
const frames = new FrameAllocator(memory);
const kernel = new AddressSpace({
  format: arm64({ granule: 4, vaBits: 48 }),
  linux: arm64Linux({ granule: 4, vaBits: 48 }),
  memory,
  frames,
});

/** A store: what a simulator does. */
function store(address: bigint, value: number): void {
  const { pa, fault } = kernel.table.walk(address, { kind: 'write', user: false });
  if (fault === null && pa !== null) memory.write32(pa, value);
  else if (kernel.handleFault(address)) store(address, value);
  else throw new Error('Unable to handle kernel paging request');
}

// 1 GiB of addresses. Each first use brings a block of 2 MiB.
const heap = kernel.getLazyArea(1n << 30n, { chunkShift: 21, caller: 'simulator' });
store(heap.area.addr, 1);
store(heap.area.addr + 0x123456n * 4n, 2);
store(heap.area.addr + 0x123457n * 4n, 3);
console.log(heap.stats.populated, heap.stats.faults); // 1024 2
console.log(heap.area.populated().leaves); // [ { bytes: 2097152, count: 2 } ]
console.log(kernel.vmallocinfo({ detail: true }).trimEnd().split('simulator ')[1]); // pages=1024 vmalloc N0=1024 populated=1024/262144 2M=2

// The guard is nobody's: a real fault.
try {
  store(heap.area.addr + heap.area.bytes, 4);
} catch (error) {
  console.log((error as Error).message); // Unable to handle kernel paging request
}

// What is not needed goes back: unmapped, flushed once, and then free.
console.log(heap.shrink(512), frames.stats().allocated < 1024); // 512 true
kernel.vfree(heap.area.addr);
console.log(kernel.vmallocToPage(heap.area.addr)); // null
