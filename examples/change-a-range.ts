/**
 * Change part of a mapping: protect some of its pages, split and collapse blocks, and visit entries one by one.
 */
import {
  AddressSpace,
  applyToExisting,
  collapseLeaves,
  FrameAllocator,
  PageTable,
  PhysicalMemory,
  splitLeaves,
} from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';

const memory = PhysicalMemory.create({ bytes: 16 << 20 });
const frames = new FrameAllocator(memory);
const format = x8664();
const linux = x8664Linux();
const { PAGE_KERNEL } = linux.protections;

// A page table of its own, with two blocks of 2 MiB.
const table = new PageTable({ format, memory, frames });
const va = 0xffffc90000000000n;
table.mapRange(va, 0x40000000n, 4 << 20, PAGE_KERNEL);
const leaves = (): string =>
  [...table.leaves()].map((run) => `${run.count} x ${2 ** run.leafShift / 1024}K`).join(' + ');
console.log(leaves()); // 2 x 2048K

// Three pages of the first block become read-only. Only that block is split, and one flush covers it.
table.protect(va + 0x5000n, 3 * 4096, { write: false });
console.log(leaves(), table.counters.flushes); // 5 x 4K + 3 x 4K + 504 x 4K + 1 x 2048K 1

// A table becomes a block again when its pages follow each other and say the same.
console.log(collapseLeaves(table, va, 2 << 20)); // 0
table.protect(va, 2 << 20, { write: true });
console.log(collapseLeaves(table, va, 2 << 20), leaves()); // 1 2 x 2048K

// Splitting in advance means that no later change has to find memory for a table.
splitLeaves(table, va + (2n << 20n), 2 << 20);
console.log(leaves()); // 1 x 2048K + 512 x 4K

// A visitor gets every entry of a range. Here it counts pages in the low half of the second block.
let seen = 0;
applyToExisting(table, va + (2n << 20n), 1 << 20, (slot) => {
  if (slot.entry !== 0n) seen++;
});
console.log(seen); // 256

// Linux's own call checks the area too. Here it maps every second page, and a value that the visitor returns ends the call.
const kernel = new AddressSpace({ format, linux, memory, frames });
const area = kernel.getVmArea(8 * 4096);
const stopped = kernel.applyToPageRange(area.addr, area.bytes, (slot) => {
  if (slot.page === 6) return 'enough';
  if (slot.page % 2 === 0) slot.setLeaf(frames.allocate(), PAGE_KERNEL);
  return undefined;
});
console.log(stopped, area.populated().pages); // enough 3
