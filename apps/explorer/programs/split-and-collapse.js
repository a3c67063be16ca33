// Split and collapse: one page of a block gets other rights, and the block comes back.
import { collapseLeaves, FrameAllocator, PageTable, PhysicalMemory, splitLeaves } from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';

const memory = PhysicalMemory.create({ bytes: 16 << 20 });
const frames = new FrameAllocator(memory);
const { PAGE_KERNEL } = x8664Linux().protections;
const table = new PageTable({ format: x8664(), memory, frames });
const va = 0xffffc90000000000n;
table.mapRange(va, 0x40000000n, 4 << 20, PAGE_KERNEL);

const leaves = () =>
  [...table.leaves()].map((run) => `${run.count} x ${2 ** run.leafShift / 1024}K`).join(' + ');
console.log(leaves()); // 2 x 2048K

// Only the block that the pages are in is split, and one flush covers it.
table.protect(va + 0x5000n, 3 * 4096, { write: false });
console.log(leaves(), table.counters.flushes); // 5 x 4K + 3 x 4K + 504 x 4K + 1 x 2048K 1

// Pages that differ stay pages.
console.log(collapseLeaves(table, va, 2 << 20)); // 0
table.protect(va, 2 << 20, { write: true });
console.log(collapseLeaves(table, va, 2 << 20), leaves()); // 1 2 x 2048K

// A split in advance: no later change has to find memory for a table.
splitLeaves(table, va + (2n << 20n), 2 << 20);
console.log(leaves()); // 1 x 2048K + 512 x 4K
