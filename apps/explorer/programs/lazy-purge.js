// Lazy purge: a freed area is unmapped at once, but flushed later. Until then a processor may use the old translation.
import { AddressSpace, FrameAllocator, hex, PhysicalMemory } from '@vmarea/core';
import { FlushSanitizer, Mmu } from '@vmarea/mmu';
import { x8664, x8664Linux } from '@vmarea/x86-64';

const memory = PhysicalMemory.create({ bytes: 4 << 20 });
const frames = new FrameAllocator(memory);
const sanitizer = new FlushSanitizer({ memory, frames: [frames] });
const mmu = new Mmu({ memory, tables: null });
const watch = sanitizer.sink();
const format = x8664();
const kernel = new AddressSpace({
  format,
  linux: x8664Linux(),
  memory,
  frames,
  sink: watch,
});
kernel.addSink(mmu.sink);
sanitizer.watch({ table: kernel.table });
mmu.switchTables({ format, root: kernel.table.root, controls: format.controls });

const buffer = kernel.vmalloc(4096);
console.log(mmu.access(buffer, 'write').fault); // null

// The entry is gone, and the processor does not know.
kernel.vfree(buffer);
console.log(kernel.table.translate(buffer)); // null
console.log(mmu.access(buffer, 'write').fault); // null
console.log(sanitizer.windows().length); // 1

// The addresses wait, too: the next area is elsewhere.
const next = kernel.vmalloc(4096);
console.log(hex(next - buffer)); // 0x0000000000002000

// A purge flushes once for all that waits. Now the window is closed.
kernel.vmUnmapAliases();
console.log(mmu.access(buffer, 'write').fault?.kind); // not-present
console.log(sanitizer.windows().length); // 0
