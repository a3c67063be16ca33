/**
 * Populate memory when it is first used. A simulated processor stores through a small loop: walk, fault, try again.
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

/** Stores a word, as a simulator does. */
function store(address: bigint, value: number): void {
  const { pa, fault } = kernel.table.walk(address, { kind: 'write', user: false });
  if (fault === null && pa !== null) memory.write32(pa, value);
  else if (kernel.handleFault(address)) store(address, value);
  else throw new Error('Unable to handle kernel paging request');
}

// 1 GiB of addresses. The first use of each 2 MiB maps a block.
const heap = kernel.getLazyArea(1n << 30n, { chunkShift: 21, caller: 'simulator' });
store(heap.area.addr, 1);
store(heap.area.addr + 0x123456n * 4n, 2);
store(heap.area.addr + 0x123457n * 4n, 3);
console.log(heap.stats.populated, heap.stats.faults); // 1024 2
console.log(heap.area.populated().leaves); // [ { bytes: 2097152, count: 2 } ]
console.log(kernel.vmallocinfo({ detail: true }).trimEnd().split('simulator ')[1]); // pages=1024 vmalloc N0=1024 populated=1024/262144 2M=2

// Nothing grows into the guard: a store there is a real fault.
try {
  store(heap.area.addr + heap.area.bytes, 4);
} catch (error) {
  console.log((error as Error).message); // Unable to handle kernel paging request
}

// Pages that are not needed go back: unmapped, flushed once, then free.
console.log(heap.shrink(512), frames.stats().allocated < 1024); // 512 true
kernel.vfree(heap.area.addr);
console.log(kernel.vmallocToPage(heap.area.addr)); // null
