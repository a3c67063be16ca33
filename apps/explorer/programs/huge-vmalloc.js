// Huge vmalloc: the same 64 MiB with pages of 4 KiB, and with blocks of 2 MiB.
import { AddressSpace, FrameAllocator, PhysicalMemory } from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';

const memory = PhysicalMemory.create({ bytes: 8 << 20 });
const frames = new FrameAllocator(memory);
// Pages that nobody reads or writes need no bytes.
const ram = new FrameAllocator(null, { first: 2 ** 18, frames: 2 ** 16 });
const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames, ram });

const small = kernel.vmalloc(64 << 20, { caller: 'with_pages' });
console.log(kernel.findVmArea(small)?.populated().leaves); // [ { bytes: 4096, count: 16384 } ]
console.log(frames.stats().allocated); // 36
kernel.vfree(small);

const large = kernel.vmallocHuge(64 << 20, { caller: 'with_blocks' });
console.log(kernel.findVmArea(large)?.populated().leaves); // [ { bytes: 2097152, count: 32 } ]
console.log(kernel.isVmAreaHugepages(large)); // true
