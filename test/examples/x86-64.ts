import { FrameAllocator, hex, PageTable, PageTableReader, PhysicalMemory } from '@vmarea/core';
import { x8664, x8664FromRegisters, x8664Linux } from '@vmarea/x86-64';

const format = x8664({ paBits: 46 });
const { PAGE_KERNEL, PAGE_KERNEL_RO, IOREMAP } = x8664Linux().protections;

// The bits that a kernel writes, at the PTE and at the PMD level.
console.log(format.encode(PAGE_KERNEL, 3)); // { lo: 355, hi: -2147483648 }
console.log(format.decode({ lo: 0x11fb, hi: -2147483648 }, 2).memory); // write-through

// Real tables in real memory, and what the processor would make of them.
const memory = PhysicalMemory.create({ bytes: 1 << 20 });
const table = new PageTable({ format, memory, frames: new FrameAllocator(memory) });
table.map(0xffffc90000000000n, [0x1234, 0x99], PAGE_KERNEL_RO);
table.mapRange(0xffffc90000200000n, 0xb0000000n, 0x200000, IOREMAP);

const { steps, pa } = table.walk(0xffffc90000001008n);
console.log(steps.map((step) => step.name).join(' ')); // PGD PUD PMD PTE
console.log(pa === 0x99008n); // true
console.log(hex(steps[3]?.entry ?? 0n)); // 0x8000000000099121

const { leaf, fault } = table.walk(0xffffc90000200000n, { kind: 'execute', user: false });
console.log(leaf?.protection.memory); // device
console.log(fault?.code); // { name: '#PF', code: 17 }

// The same tables as a machine has them, from its registers. CR0.WP is clear: the kernel writes what is read-only.
const cpu = x8664FromRegisters({ cr0: 0x80040033, cr3: table.root, cr4: 0x750ef0, efer: 0xd01 });
const opened = new PageTableReader({ ...cpu, memory });
console.log(table.walk(0xffffc90000000000n).permissions?.kernel.write); // false
console.log(opened.walk(0xffffc90000000000n).permissions?.kernel.write); // true
