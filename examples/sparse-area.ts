/**
 * Populate a sparse area page by page, as a BPF arena does: 4 GiB of addresses between two guards, every call checked.
 */
import { AddressSpace, FrameAllocator, PhysicalMemory, VM_SPARSE, VM_USERMAP } from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';

const memory = PhysicalMemory.create({ bytes: 64 << 20 });
const frames = new FrameAllocator(memory);
const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames });

// A reservation takes addresses only: no table, no page.
const before = frames.stats().allocated;
const area = kernel.getVmArea((4n << 30n) + (64n << 10n), VM_SPARSE | VM_USERMAP);
console.log(area.pages, frames.stats().allocated - before); // 1048592 0

// Linux's own calls take addresses. All of a call happens, or nothing.
const start = area.addr + (1n << 20n);
const pages = frames.allocateMany(16);
kernel.vmAreaMapPages(area, start, start + 16n * 4096n, pages);
console.log(area.populated().pages); // 16

// A range outside the area, a page that is mapped, another kind of area: each is refused with Linux's code.
const codeOf = (call: () => void): string => {
  try {
    call();
    return 'done';
  } catch (error) {
    return (error as { code: string }).code;
  }
};
const end = area.addr + area.bytes;
console.log(codeOf(() => kernel.vmAreaMapPages(area, end, end + 4096n, [1]))); // ERANGE
console.log(codeOf(() => kernel.vmAreaMapPages(area, start, start + 4096n, [1]))); // EBUSY
const other = kernel.getVmArea(4096);
console.log(codeOf(() => kernel.vmAreaMapPages(other, other.addr, other.addr + 4096n, [1]))); // EINVAL

// The handle takes page offsets, so there is no address to get wrong. Each call flushes once.
area.unmap(256, 16);
console.log(area.populated().pages, kernel.counters.flushes); // 0 1
frames.freeMany(pages);

// Tables can be made in advance. Mapping a page then needs no memory, so it cannot fail for want of it.
console.log(area.prepare(0, 4096)); // 7
const { tablesAllocated } = kernel.counters;
area.map(4095, frames.allocate());
console.log(kernel.counters.tablesAllocated - tablesAllocated); // 0
