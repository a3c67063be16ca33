/**
 * KASAN's way: reserve a giant region of shadow, populate the pieces that memory needs with `applyToPageRange`, and free them with
 * `applyToExistingPageRange`.
 */
import { AddressSpace, FrameAllocator, PhysicalMemory, VM_NO_GUARD, VM_SPARSE } from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';

const memory = PhysicalMemory.create({ bytes: 64 << 20 });
const frames = new FrameAllocator(memory);
const linux = x8664Linux();
const kernel = new AddressSpace({ format: x8664(), linux, memory, frames });
const { PAGE_KERNEL } = linux.protections;

// One byte of shadow for eight bytes of memory: 16 TiB, where x86-64 has it, for exactly this window.
const SHADOW = { start: 0xffffec0000000000n, end: 0xfffffc0000000000n };
const shadow = kernel.getVmAreaNode({
  size: SHADOW.end - SHADOW.start,
  flags: VM_SPARSE | VM_NO_GUARD,
  window: SHADOW,
});
const shadowOf = (address: bigint): bigint => (address >> 3n) + 0xdffffc0000000000n;

/** Whole pages of shadow for a piece of memory. */
function shadowPages(address: bigint, bytes: bigint): { start: bigint; size: bigint } {
  const start = shadowOf(address) & ~4095n;
  const end = (shadowOf(address + bytes) + 4095n) & ~4095n;
  return { start, size: end - start };
}

/** Backs what is not backed yet: neighbours share pages of shadow. */
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

/** Frees the backing of a range. No table is made, holes are passed over, and one flush comes before the frames are free. */
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

// All of it, with the hole between: what lies behind a hole is found.
console.log(depopulate(window, (1n << 30n) + 4096n), kernel.counters.flushes); // 49 1
console.log(shadow.populated().pages); // 0
kernel.freeVmArea(shadow);
