// A BPF arena: the kernel, BPF programs and a process see the same pages at once.
import { createArena } from '@vmarea/arena';
import { configurations } from '@vmarea/arm64';
import { AddressSpace, FrameAllocator, hex, PhysicalMemory, Process } from '@vmarea/core';

const machine = configurations.find(({ name }) => name === 'arm64-16k-47');
if (machine === undefined) throw new Error('the format is missing');
const { format, userFormat = format, linux } = machine;
const memory = PhysicalMemory.create({ bytes: 16 << 20 });
const frames = new FrameAllocator(memory, { pageShift: 14, frames: 512 });
const ram = new FrameAllocator(memory, { pageShift: 14, first: 512 });
const kernel = new AddressSpace({ format, linux, memory, frames, ram });

const arena = createArena(kernel, { maxEntries: 100 });
const process = new Process({ kernel, userFormat });
arena.mmap(process);
console.log(hex(arena.userVmStart)); // 0x00007ffff7ce0000

// A program allocates two pages. The kernel has them at once; the process gets them by its faults.
const pages = arena.allocPages(0n, 2);
console.log(pages === arena.userVmStart); // true
console.log(process.table.walk(arena.userVmStart).fault?.kind); // not-present
console.log(process.handleFault(arena.userVmStart, 'read')); // mapped
console.log(process.table.translate(arena.userVmStart) !== null); // true

// A free takes the page from everybody.
console.log(arena.freePages(arena.userVmStart, 1)); // freed
console.log(process.table.translate(arena.userVmStart)); // null

process.destroy();
arena.destroy();
console.log(ram.stats().allocated); // 0
