import { FrameAllocator, PageTable, PhysicalMemory, protection } from '@vmarea/core';
import { Mmu } from '@vmarea/mmu';
import { RISCV64_INVALIDATIONS, riscv64, riscv64FromRegisters } from '@vmarea/riscv64';

// A guest: 4 MiB of memory, and a table that maps one page for user mode. The hart sets A and D by itself (Svadu).
const memory = PhysicalMemory.create({ bytes: 4 << 20, base: 0x8000_0000n });
const frames = new FrameAllocator(memory, { first: 0x80000, frames: 64 });
const table = new PageTable({ format: riscv64({ mode: 'sv39' }), memory, frames });
table.map(0x1000n, [0x80100], protection({ write: true, user: true, accessed: false }));

// Its hart starts with addresses that are physical, and writes satp.
const mmu = new Mmu({ memory, tables: null, invalidations: RISCV64_INVALIDATIONS });
mmu.store32(0, 0x8010_0000, false, 42); // an address is two words; false: by the supervisor
const satp = (8n << 60n) | (5n << 44n) | (table.root >> 12n);
mmu.switchTables(riscv64FromRegisters({ satp, menvcfg: 1n << 61n }));
console.log(mmu.asid, mmu.load32(0, 0x1000, true)); // 5 42

// A store to the same page, by user mode, sets D. The supervisor may not touch a page of user mode: SUM is clear.
mmu.store32(0, 0x1004, true, 7);
console.log(table.walk(0x1000n).leaf?.protection.dirty); // true
console.log(mmu.access(0x1000n, 'read', false).fault?.code); // { name: 'scause', code: 13 }

// A fault is thrown, always the same object.
try {
  mmu.load32(0, 0x5000, true);
} catch (error) {
  console.log(error === mmu.fault, mmu.fault?.kind, mmu.fault?.code.code); // true not-present 13
}

// The tables change. The TLB serves what it has, until it is told to forget it.
table.unmap(0x1000n, 4096);
console.log(mmu.load32(0, 0x1004, true)); // 7
mmu.invalidate('SFENCE.VMA va, asid', 0x1000n, 5);
console.log(mmu.translate(0, 0x1004, 'read', true)); // -1
