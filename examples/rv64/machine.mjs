// A machine: RAM, a serial line, a power switch, and one processor.
import { PhysicalMemory } from '@vmarea/core';
import { Mmu } from '@vmarea/mmu';
import { RISCV64_INVALIDATIONS } from '@vmarea/riscv64';
import { Cpu } from './cpu.mjs';

const RAM = 0x80000000n;
const RAM_BYTES = 16 * 2 ** 20;
const UART = 0x10000000n;
const POWER = 0x100000n;

/**
 * Runs a program until it stops the machine.
 *
 * @param {Uint8Array} program - is put at the start of RAM, and begins there in supervisor mode.
 * @param {(text: string) => void} print - gets what the program writes to the serial line.
 * @returns {Cpu}
 */
export function boot(program, print) {
  const memory = PhysicalMemory.create({ base: RAM, bytes: RAM_BYTES });
  memory.bytesAt(RAM, RAM_BYTES).set(program);
  const mmu = new Mmu({
    memory,
    tables: null, // satp is 0 at first: addresses are physical
    invalidations: RISCV64_INVALIDATIONS,
    io: {
      load: () => 0n,
      store: (pa, _bytes, value) => {
        if (pa === UART) print(String.fromCharCode(Number(value)));
        if (pa === POWER) cpu.isOff = true;
      },
    },
  });
  const cpu = new Cpu(mmu, RAM);
  cpu.run(1e9);
  return cpu;
}
