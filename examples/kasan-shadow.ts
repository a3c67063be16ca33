/**
 * Keep shadow memory as KASAN does. One huge area is reserved. `applyToPageRange` populates the parts that memory needs, and
 * `applyToExistingPageRange` frees them.
 */
import { AddressSpace, FrameAllocator, PhysicalMemory, VM_NO_GUARD, VM_SPARSE } from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';

const memory = PhysicalMemory.create({ bytes: 64 << 20 });
const frames = new FrameAllocator(memory);
const linux = x8664Linux();
const kernel = new AddressSpace({ format: x8664(), linux, memory, frames });
const { PAGE_KERNEL } = linux.protections;

// A byte of shadow stands for eight bytes of memory. x86-64 has 16 TiB of shadow in exactly this window.
const SHADOW = { start: 0xffffec0000000000n, end: 0xfffffc0000000000n };
const shadow = kernel.getVmAreaNode({
  size: SHADOW.end - SHADOW.start,
  flags: VM_SPARSE | VM_NO_GUARD,
  window: SHADOW,
});
const shadowOf = (address: bigint): bigint => (address >> 3n) + 0xdffffc0000000000n;

/** The pages of shadow for a piece of memory. */
function shadowPages(address: bigint, bytes: bigint): { start: bigint; size: bigint } {
  const start = shadowOf(address) & ~4095n;
  const end = (shadowOf(address + bytes) + 4095n) & ~4095n;
  return { start, size: end - start };
}

/** Maps the pages that are missing. Neighbours share pages of shadow. */
function populate(address: bigint, bytes: bigint): number {
  const { start, size } = shadowPages(address, bytes);
  let made = 0;
  kernel.applyToPageRange(start, size, (slot) => {
    if (slot.entry !== 0n) return;
    slot.setLeaf(frames.allocate(), PAGE_KERNEL);
    made++;
  });
  return made;
}

/** Frees the pages of a range. The call makes no table, skips holes, and flushes once before the frames are free. */
function depopulate(address: bigint, bytes: bigint): number {
  const { start, size } = shadowPages(address, bytes);
  const freed: number[] = [];
  kernel.applyToExistingPageRange(start, size, (slot) => {
    freed.push(slot.pfn);
    slot.set(0, 0);
  });
  frames.freeMany(freed);
  return freed.length;
}

const window = linux.window.start;
console.log(shadow.pages); // 4294967296
console.log(populate(window, 1n << 20n)); // 32
console.log(populate(window + (1n << 19n), 1n << 20n)); // 16
console.log(populate(window + (1n << 30n), 4096n)); // 1
console.log(shadow.populated().pages, kernel.counters.flushes); // 49 0

// One call frees all of it and finds what lies behind the hole.
console.log(depopulate(window, (1n << 30n) + 4096n), kernel.counters.flushes); // 49 1
console.log(shadow.populated().pages); // 0
kernel.freeVmArea(shadow);
