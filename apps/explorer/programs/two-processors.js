// A missing invalidation: a processor goes on with what it has, until it is told to forget it.
import { FrameAllocator, PageTable, PhysicalMemory, protection } from '@vmarea/core';
import { Mmu } from '@vmarea/mmu';
import { X8664_INVALIDATIONS, x8664 } from '@vmarea/x86-64';

const memory = PhysicalMemory.create({ bytes: 16 << 20 });
const format = x8664();
const table = new PageTable({ format, memory, frames: new FrameAllocator(memory) });
const tables = { format, root: table.root, controls: format.controls };
const mmu = new Mmu({ memory, tables, invalidations: X8664_INVALIDATIONS });

table.map(0x40_0000n, [100], protection({ write: true, user: true, accessed: false, dirty: false }));
mmu.store32(0, 0x40_0010, true, 7); // the words of the address, by user mode, the value
console.log(table.walk(0x40_0000n).leaf?.protection.dirty); // true
console.log(mmu.load32(0, 0x40_0010, true)); // 7

// Nobody tells the processor that the page is gone.
table.unmap(0x40_0000n, 4096);
console.log(mmu.load32(0, 0x40_0010, true)); // 7
mmu.invalidate('INVLPG', 0x40_0000n);
console.log(mmu.access(0x40_0010n, 'read', true).fault?.code.code); // 4
