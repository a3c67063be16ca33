import { arm64, arm64FromRegisters, arm64Linux } from '@vmarea/arm64';
import { FrameAllocator, hex, PageTable, PageTableReader, PhysicalMemory, toBigint } from '@vmarea/core';

const format = arm64({ granule: 16, vaBits: 47 });
const { PAGE_KERNEL, IOREMAP } = arm64Linux({ granule: 16, vaBits: 47, contiguous: true }).protections;

// The bits that a kernel writes, for a page and for a block of 32 MiB.
console.log(hex(toBigint(format.encode(PAGE_KERNEL, 2)))); // 0x0068000000000703
console.log(hex(toBigint(format.encode(IOREMAP, 1)))); // 0x0068000000000711

// Real tables in real memory: 2 MiB of pages, which form one contiguous run.
const memory = PhysicalMemory.create({ bytes: 1 << 20 });
const frames = new FrameAllocator(memory, { pageShift: format.pageShift });
const table = new PageTable({ format, memory, frames });
table.mapRange(0xffffc00080000000n, 0x40000000n, 0x200000, PAGE_KERNEL);

const { steps, fault } = table.walk(0xffffc00080004008n, { kind: 'execute', user: false });
console.log(steps.map((step) => step.name).join(' ')); // PGD PMD PTE
console.log(hex(steps[2]?.entry ?? 0n)); // 0x0078000040004703
console.log(fault?.code); // { name: 'FSC', code: 15 }

// Both halves of a machine, from its registers.
const cpu = arm64FromRegisters({
  tcr: 0x5001f57551b511n,
  ttbr0: 0x5621c001n,
  ttbr1: 0x16000000000000n | table.root,
  mair: 0x40044ffffn,
  sctlr: 0x20000003474591dn,
});
console.log(cpu.ttbr0?.format.name, cpu.ttbr1?.format.name, cpu.asid); // arm64-16k-47-ttbr0 arm64-16k-47 22

// A pointer with a tag in its top byte: the half that translates it, and the address without the tag.
const half = cpu.for(0x3cffc00080004008n);
if (half !== null) {
  const opened = new PageTableReader({ ...half, memory });
  console.log(hex(half.address), hex(opened.translate(half.address) ?? 0n)); // 0xffffc00080004008 0x0000000040004008
}
console.log(cpu.for(0x800000000000n)); // null
console.log(cpu.whyNot(0x800000000000n)); // 0x0000800000000000 is not an address of arm64-16k-47-ttbr0: bits 63 to 47 must all be 0
