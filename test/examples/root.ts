import { FrameAllocator, hex, PageTable, PhysicalMemory, VmapAreas } from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';

const linux = x8664Linux();
const { PAGE_KERNEL, IOREMAP } = linux.protections;
const memory = PhysicalMemory.create({ bytes: 1 << 20 }); // real bytes: the tables live here
const frames = new FrameAllocator(memory); // hands out the frames that become tables
const table = new PageTable({ format: x8664(), memory, frames });

// Reserve kernel addresses as vmalloc does, then map what you like into them.
const areas = new VmapAreas({ ...linux, pageShift: 12 });
const stack = areas.reserve(16384);
table.map(stack.address, [0x1234, 0x99, 0x7001, 0x42], PAGE_KERNEL);

// A device range gets the largest leaves that address and frames allow: one of 2 MiB here.
const device = areas.reserve(2 << 20, { ioremap: true });
table.mapRange(device.address, 0xb0000000n, 2 << 20, IOREMAP);

console.log(hex(stack.address)); // 0xffffc90000000000
console.log(table.translate(stack.address + 0x1008n)); // 626696n
for (const { va, count, leafShift } of table.leaves(device.address, device.bytes)) {
  console.log(hex(va), count, leafShift); // 0xffffc90000200000 1 21
}

// A walk tells every entry that the processor reads, and what it may do.
const walk = table.walk(stack.address, { kind: 'execute', user: false });
console.log(walk.steps.map(({ name, index }) => `${name}[${index}]`).join(' ')); // PGD[402] PUD[0] PMD[0] PTE[0]
console.log(walk.fault?.kind, walk.fault?.code); // permission { name: '#PF', code: 17 }

table.destroy();
console.log(frames.stats().allocated); // 0
