// A lazy area: the first use of each 2 MiB maps a block.
import { arm64, arm64Linux } from '@vmarea/arm64';
import { AddressSpace, FrameAllocator, PhysicalMemory } from '@vmarea/core';

const memory = PhysicalMemory.create({ bytes: 64 << 20 });
const frames = new FrameAllocator(memory);
const format = arm64({ granule: 4, vaBits: 48 });
const linux = arm64Linux({ granule: 4, vaBits: 48 });
const kernel = new AddressSpace({ format, linux, memory, frames });

const heap = kernel.getLazyArea(1n << 30n, { chunkShift: 21, caller: 'simulator' });
const first = heap.area.addr;
console.log(kernel.table.walk(first).fault?.kind); // not-present

// A fault handler of a simulator: it populates, and the access is tried again.
console.log(kernel.handleFault(first)); // true
console.log(kernel.handleFault(first + 0x123456n * 4n)); // true
console.log(heap.stats.populated, heap.stats.faults); // 1024 2
console.log(heap.area.populated().leaves); // [ { bytes: 2097152, count: 2 } ]

// Nothing grows into the guard: an access there is a real fault.
console.log(kernel.handleFault(first + heap.area.bytes)); // false

// Pages that are not needed go back: unmapped, flushed once, then free.
console.log(heap.shrink(512)); // 512
kernel.vfree(first);
console.log(kernel.vmallocToPage(first)); // null
