// A sparse area: 4 GiB of addresses, in which single pages come and go.
import { AddressSpace, FrameAllocator, PhysicalMemory, VM_SPARSE } from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';

const memory = PhysicalMemory.create({ bytes: 64 << 20 });
const frames = new FrameAllocator(memory);
const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames });

// A reservation takes addresses only: no table, no page.
const before = frames.stats().allocated;
const area = kernel.getVmArea(4n << 30n, VM_SPARSE);
console.log(area.pages, frames.stats().allocated - before); // 1048576 0

// Linux's own call takes addresses.
const start = area.addr + (1n << 20n);
const pages = frames.allocateMany(16);
kernel.vmAreaMapPages(area, start, start + 16n * 4096n, pages);
console.log(area.populated().pages); // 16

// The handle takes page numbers, so no address can be wrong.
area.map(1_000_000, frames.allocate());
area.unmap(256, 16);
frames.freeMany(pages);
console.log(area.populated().pages); // 1

// Tables can be made in advance. A later page then needs no memory.
console.log(area.prepare(0, 4096)); // 7
area.map(4095, frames.allocate());
console.log(area.populated().pages); // 2
