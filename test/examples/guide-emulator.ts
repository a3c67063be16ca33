import { hex, PhysicalMemory } from '@vmarea/core';
import { Mmu, MmuFault } from '@vmarea/mmu';
import { X8664_INVALIDATIONS, x8664FromRegisters } from '@vmarea/x86-64';

// Your guest's RAM as it is. No byte of it is copied.
const ram = new ArrayBuffer(8 << 20);
const memory = PhysicalMemory.over(ram);

// Frames without bytes are devices: this one has a serial port.
let printed = '';
const mmu = new Mmu({
  memory,
  tables: null, // paging is off: addresses are physical
  invalidations: X8664_INVALIDATIONS,
  io: {
    load: () => 0n,
    store: (_pa, _bytes, value) => {
      printed += String.fromCharCode(Number(value));
    },
  },
});

// The guest builds its tables by stores of its own: 0x400000 is a page of user mode, 0x401000 the device, for its kernel.
for (const [pa, entry] of [
  [0x1000, 0x2007n], // PML4[0]
  [0x2000, 0x3007n], // PDPT[0]
  [0x3010, 0x4007n], // PD[2]
  [0x4000, 0x10_0007n], // PT[0]: present, writable, user
  [0x4008, 0xfe00_0003n], // PT[1]: present, writable
] as const)
  mmu.store64(0, pa, false, entry);

// It writes CR0, CR3, CR4 and EFER. Whenever one of them changes, tell the Mmu what they are now.
const registers = { cr0: 0x8001_0001n, cr3: 0x1000n, cr4: 0x2_00a0n, efer: 0xd00n };
mmu.switchTables(x8664FromRegisters(registers));

// Loads and stores by virtual address: two words of the address, whether user mode makes it, the value.
mmu.store32(0, 0x40_0010, true, 1234);
mmu.store8(0, 0x40_1000, false, 33);
console.log(mmu.load32(0, 0x40_0010, true), printed); // 1234 !

// The walk set accessed and dirty bits in the guest's tables, as the processor does.
console.log(hex(memory.read64(0x4000n)), hex(memory.read64(0x4008n))); // 0x0000000000100067 0x00000000fe000063

// A fault is thrown. It has all that your emulator pushes: CR2, the error code.
try {
  mmu.load32(0, 0x40_1000, true);
} catch (error) {
  if (!(error instanceof MmuFault)) throw error;
  console.log(hex(error.va), error.code, error.kind); // 0x0000000000401000 { name: '#PF', code: 5 } permission
  mmu.invalidate('#PF', error.va);
}

// The guest takes its page away. Until it says INVLPG, its processor may go on with what it knew.
memory.write64(0x4000n, 0n);
console.log(mmu.load32(0, 0x40_0010, true)); // 1234
mmu.invalidate('INVLPG', 0x40_0010n);
console.log(mmu.access(0x40_0010n, 'read', true).fault?.kind); // not-present

// What it cost: exact counts.
console.log(mmu.counters.walks, mmu.counters.entriesRead); // 9 20
