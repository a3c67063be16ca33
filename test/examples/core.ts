import { FrameAllocator, hex, PageTable, PageTableReader, PhysicalMemory, protection } from '@vmarea/core';
import { x8664 } from '@vmarea/x86-64';

// An emulator's guest RAM: 16 MiB at physical 1 GiB, in a buffer that you own.
const ram = new ArrayBuffer(16 << 20);
const memory = PhysicalMemory.over(ram, { base: 0x40000000n });

// Tables from the first MiB; the frames that get mapped need not have bytes at all.
const tables = new FrameAllocator(memory, { first: 0x40000, frames: 256 });
const far = new FrameAllocator(null, { first: 0x1000000, frames: 1 << 18, scatter: 42 });

const flushed: string[] = [];
const table = new PageTable({
  format: x8664(),
  memory,
  frames: tables,
  sink: { flush: (va, bytes, leafShift) => flushed.push(`${hex(va)} +${bytes} by 2^${leafShift}`) },
});
const va = 0xffffc90000000000n;
table.map(va, far.allocateMany(1000), protection({ write: true, global: true }));
console.log(table.counters.tablesRead, table.counters.entriesWritten); // 5 1004

// The same tables, opened by whoever has the memory and the root.
const view = new PageTableReader({ format: x8664(), memory, root: table.root });
console.log(view.translate(va) === table.translate(va)); // true
console.log(view.walk(va + (1000n << 12n)).fault?.kind); // not-present

table.unmap(va, 1000 * 4096, { reclaim: true });
console.log(flushed); // [ '0xffffc90000000000 +4096000 by 2^12' ]
console.log(tables.stats().allocated); // 1
