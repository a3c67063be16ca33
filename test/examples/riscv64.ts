import { FrameAllocator, hex, PageTable, PageTableReader, PhysicalMemory } from '@vmarea/core';
import { riscv64, riscv64FromRegisters, riscv64Linux } from '@vmarea/riscv64';

const format = riscv64({ mode: 'sv39' });
const { window, protections } = riscv64Linux({ mode: 'sv39', napot: true });

// Real tables in real memory, and what the processor would make of them.
const memory = PhysicalMemory.create({ bytes: 1 << 20 });
const table = new PageTable({ format, memory, frames: new FrameAllocator(memory) });
table.map(window.start, [0x81234, 0x80099], protections.PAGE_KERNEL);
table.mapRange(window.start + 0x10000n, 0x80050000n, 0x10000, protections.PAGE_KERNEL);

const { steps, pa } = table.walk(window.start + 0x1008n);
console.log(steps.map((step) => step.name).join(' ')); // PGD PMD PTE
console.log(pa === 0x80099008n); // true

// Sixteen equal entries: one of Svnapot's runs of 64 KiB.
const napot = table.walk(window.start + 0x1f000n, { kind: 'execute', user: false });
console.log(hex(napot.steps[2]?.entry ?? 0n)); // 0x80000000200160e7
console.log(napot.fault?.code); // { name: 'scause', code: 12 }

// The same tables as a hart has them, from its registers.
const hart = riscv64FromRegisters({ satp: (8n << 60n) | (table.root >> 12n), sstatus: 1n << 18n });
const opened = new PageTableReader({ ...hart, memory });
console.log(hart.format.name, hart.controls.sum); // riscv64-sv39 true
console.log(opened.translate(window.start) === 0x81234000n); // true
