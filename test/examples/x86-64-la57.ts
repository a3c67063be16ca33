import { FrameAllocator, hex, PageTable, PhysicalMemory } from '@vmarea/core';
import { x8664La57, x8664La57Linux } from '@vmarea/x86-64-la57';

const linux = x8664La57Linux();
const memory = PhysicalMemory.create({ bytes: 1 << 20 });
const table = new PageTable({ format: x8664La57(), memory, frames: new FrameAllocator(memory) });

table.map(linux.window.start, [0x1234], linux.protections.PAGE_KERNEL);
const { steps } = table.walk(linux.window.start);
console.log(hex(linux.window.start)); // 0xffa0000000000000
console.log(steps.map(({ name, index }) => `${name}[${index}]`).join(' ')); // PGD[416] P4D[0] PUD[0] PMD[0] PTE[0]
