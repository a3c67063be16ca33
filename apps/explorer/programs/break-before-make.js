// Break-before-make: arm64 demands that an entry is invalid and flushed before a block becomes a table.
import { arm64 } from '@vmarea/arm64';
import { FrameAllocator, hex, PageTable, PhysicalMemory, protection, splitLeaves } from '@vmarea/core';
import { x8664 } from '@vmarea/x86-64';

/** @param {import('@vmarea/core').PageTableFormat} format */
function split(format) {
  const memory = PhysicalMemory.create({ bytes: 1 << 20 });
  const frames = new FrameAllocator(memory);
  /** What the MMU finds when the flush comes. @type {string[]} */
  const found = [];
  const va = 0xffff_c900_0000_0000n;
  /** @type {PageTable} */
  const table = new PageTable({
    format,
    memory,
    frames,
    sink: {
      flush: (first) => {
        found.push(`${hex(first)} ${table.walk(va).fault?.kind ?? 'mapped'}`);
      },
    },
  });
  table.mapRange(va, 0x4000_0000n, 2 << 20, protection({ write: true }));
  splitLeaves(table, va, 2 << 20);
  return `${format.name}: ${found.join(', ')}`;
}

// On arm64 the flush comes in the middle, while nothing is mapped. On x86-64 it comes at the end.
console.log(split(arm64({ granule: 4, vaBits: 48 }))); // arm64-4k-48: 0xffffc90000000000 not-present
console.log(split(x8664())); // x86-64: 0xffffc90000000000 mapped
