// Wrong calls: each is refused with Linux's code and the reason, and everything stays as it was.
import { AddressSpace, FrameAllocator, PhysicalMemory, VM_SPARSE } from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';

const memory = PhysicalMemory.create({ bytes: 1 << 20 });
const frames = new FrameAllocator(memory);
const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames });

/** @param {() => unknown} call */
const refusal = (call) => {
  try {
    return `${call()}`;
  } catch (error) {
    return /** @type {{ code: string }} */ (error).code;
  }
};

const area = kernel.getVmArea(1 << 20, VM_SPARSE);
const end = area.addr + area.bytes;
area.map(0, 0x10);

// Outside of the area; a page that is mapped; another kind of area; a page that is not there.
console.log(refusal(() => kernel.vmAreaMapPages(area, end, end + 4096n, [1]))); // ERANGE
console.log(refusal(() => area.map(0, 0x11))); // EBUSY
const other = kernel.getVmArea(4096);
console.log(refusal(() => kernel.vmAreaMapPages(other, other.addr, other.addr + 4096n, [1]))); // EINVAL
console.log(refusal(() => area.frameAt(1))); // -1

// More than there is memory: all or nothing.
const before = frames.stats().allocated;
console.log(refusal(() => kernel.vmalloc(64 << 20))); // E2BIG
console.log(frames.stats().allocated - before); // 0

// The first call that nobody catches ends the program, with its reason.
kernel.vfree(area.addr + 4096n);
