import { FrameAllocator, hex, PageTable, PhysicalMemory, protection } from '@vmarea/core';
import { x8664 } from '@vmarea/x86-64';

// Four MiB of physical memory, and an allocator of its frames. The root of the tables is the first frame.
const memory = PhysicalMemory.create({ bytes: 4 << 20 });
const frames = new FrameAllocator(memory);
const table = new PageTable({ format: x8664(), memory, frames });

// Three pages that follow each other, in three frames that do not.
const va = 0x7f00_0000_0000n;
table.map(va, [0x155, 0x42, 0x300], protection({ write: true, user: true }));

// A translation, and what the MMU read for it.
console.log(hex(table.translate(va + 0x1008n) ?? 0n)); // 0x0000000000042008
const { steps, leaf } = table.walk(va + 0x1008n);
const read = steps.map(
  ({ name, index, address, entry }) => `${name}[${index}] ${hex(address)} ${hex(entry)}`,
);
console.log(read.join('\n'));
// PGD[254] 0x00000000000007f0 0x0000000000001067
// PUD[0] 0x0000000000001000 0x0000000000002067
// PMD[0] 0x0000000000002000 0x0000000000003067
// PTE[1] 0x0000000000003008 0x8000000000042067
console.log(leaf?.protection.user, leaf?.protection.execute); // true false

// The same entry, as anybody else reads it: eight bytes of memory.
console.log(hex(memory.read64(0x3008n))); // 0x8000000000042067

// An access that is not allowed, and the code that the processor would push.
const { fault } = table.walk(va, { kind: 'execute', user: true });
console.log(fault?.kind, fault?.code); // permission { name: '#PF', code: 21 }
