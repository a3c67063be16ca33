import { createArena } from '@vmarea/arena';
import { AddressSpace, FrameAllocator, PhysicalMemory, Process } from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';

// A kernel with 16 MiB. Linux makes the tables of an arena's window in advance: 8 MiB.
const memory = PhysicalMemory.create({ bytes: 16 << 20 });
const frames = new FrameAllocator(memory);
const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames });

// An arena of 1,000 pages. Programs and users see it at 1 << 44.
const reports: string[] = [];
const arena = createArena(kernel, {
  maxEntries: 1000,
  mapExtra: 1n << 44n,
  report: ({ text }) => reports.push(text),
});
console.log(kernel.vmallocinfo().trim()); // 0xffffc90000000000-0xffffc90100011000 4295036928 arena_map_alloc sparse user

// A program allocates two pages and stores a value. The low half of its pointer is enough.
const page = arena.allocPages(null, 2) ?? 0n;
arena.store(page + 8n, 4, 42n);
console.log(page === 1n << 44n, arena.castToKernel(page + 8n)); // true 8n

// A process maps the arena, and finds the value there. It writes, and the program reads.
const process = new Process({ kernel });
arena.mmap(process);
const user = arena.view({ by: process });
console.log(user.loadSigned32(0, 8)); // 42
user.store32(4096, 0, 7);
console.log(arena.load(page + 4096n, 4), arena.memUsage()); // 7n 8192n

// After a free, nobody has the page. The program's load gives 0, and Linux tells of it.
console.log(arena.freePages(page, 1), process.table.translate(page)); // freed null
console.log(arena.load(page + 8n, 4), reports); // 0n [ 'ERROR: Arena READ access at unmapped address 0x100000000008' ]

// NULL has a reason here.
console.log(arena.allocPages(null, 1000), arena.lastFailure?.code); // null ENOMEM
