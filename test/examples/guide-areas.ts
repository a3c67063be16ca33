import { AddressSpace, FrameAllocator, hex, PhysicalMemory, VmError } from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';

const memory = PhysicalMemory.create({ bytes: 16 << 20 });
const frames = new FrameAllocator(memory);
const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames });

// Linux's calls, at Linux's addresses. Each area ends with a guard page that nothing maps.
const buffer = kernel.vmalloc(10_000);
const registers = kernel.ioremap(0xfebc0000n, 4096);
console.log(hex(buffer), hex(registers)); // 0xffffc90000000000 0xffffc90000004000
console.log(kernel.vmallocinfo());
// 0xffffc90000000000-0xffffc90000004000   16384 pages=3 vmalloc N0=3
// 0xffffc90000004000-0xffffc90000006000    8192 phys=0x00000000febc0000 ioremap
console.log(kernel.table.translate(buffer + 0x3000n)); // null

// What would stop a kernel, or be warned of, is an error with Linux's code. It changes nothing.
try {
  kernel.vfree(buffer + 4096n);
} catch (error) {
  if (!(error instanceof VmError)) throw error;
  console.log(error.code); // EINVAL
}
kernel.vfree(buffer);
kernel.iounmap(registers);
kernel.destroy();
console.log(frames.stats().allocated); // 0
