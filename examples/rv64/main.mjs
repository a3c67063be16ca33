// Boots kernel.bin: two processes with tables of their own, through @vmarea/mmu.
//
//   node main.mjs
import { readFileSync } from 'node:fs';
import { PhysicalMemory } from '@vmarea/core';
import { Mmu } from '@vmarea/mmu';
import { RISCV64_INVALIDATIONS } from '@vmarea/riscv64';
import { Cpu } from './cpu.mjs';

const RAM = 0x80000000n;
const UART = 0x10000000n;
const POWER = 0x100000n;
const NAMES = new Map([
  [8, 'system calls'],
  [13, 'load page faults'],
  [15, 'store page faults'],
]);

const memory = PhysicalMemory.create({ base: RAM, bytes: 16 * 2 ** 20 });
memory.bytesAt(RAM, 16 * 2 ** 20).set(readFileSync(new URL('kernel.bin', import.meta.url)));
const mmu = new Mmu({
  memory,
  tables: null, // satp is 0 at first: addresses are physical
  invalidations: RISCV64_INVALIDATIONS,
  io: {
    load: () => 0n,
    store: (pa, _bytes, value) => {
      if (pa === UART) process.stdout.write(String.fromCharCode(Number(value)));
      if (pa === POWER) cpu.isOff = true;
    },
  },
});
const cpu = new Cpu(mmu, RAM);

const start = performance.now();
cpu.run(1e9);
const seconds = (performance.now() - start) / 1000;
const { supervisor, instructions } = cpu;
for (const [cause, count] of [...supervisor.traps].sort(([a], [b]) => a - b))
  console.log(`${count} ${NAMES.get(cause) ?? `traps of cause ${cause}`}`);
console.log(`${supervisor.switches} switches of the root, ${supervisor.fences} SFENCE.VMA, ${mmu.counters.walks} walks of the tables`);
console.log(`${instructions} instructions, ${(instructions / seconds / 1e6).toFixed(1)} million a second`);
