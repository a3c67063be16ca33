import { AddressSpace, FrameAllocator, PageTable, PhysicalMemory, protection } from '@vmarea/core';
import { FlushSanitizer } from '@vmarea/mmu';
import { X8664_INVALIDATIONS, x8664, x8664Linux } from '@vmarea/x86-64';

const memory = PhysicalMemory.create({ bytes: 1 << 20 });
const frames = new FrameAllocator(memory);
const sanitizer = new FlushSanitizer({ memory, frames: [frames], processors: 2 });
const table = new PageTable({ format: x8664(), memory, frames, sink: sanitizer.sink() });
sanitizer.watch({ table });

// A kernel unmaps a page by hand, and flushes only the processor that it runs on.
const va = 0x7f0000000000n;
const page = frames.allocate();
table.map(va, [page], protection({ user: true, write: true }));
memory.write64(table.walk(va).steps[3]?.address ?? 0n, 0n);
const invlpg = X8664_INVALIDATIONS.find(({ name }) => name === 'INVLPG');
if (invlpg !== undefined) sanitizer.processor(0).invalidated(invlpg, 0, va, 0n);
frames.free(page);
console.log(`${sanitizer.reports[0]}`);
// error frame-freed at event 11: frame 0x1 was freed, and processor 1 may still translate to it
//   0x00007f0000000000, 0x1000 bytes, asid 0: PTE entry at 0x0000000000004000 was 0x8000000000001067, is 0x0000000000000000, changed at event 9
//   the flush at event 10 was done by another processor for itself; nobody asked 1

// Linux frees the pages of vmalloc memory before a purge flushes them. That is not an error: it is `lazy`.
const lazy = new FlushSanitizer({ memory, frames: [frames] });
const kernel = new AddressSpace({
  ...{ format: x8664(), linux: x8664Linux(), memory, frames },
  sink: lazy.sink(),
});
lazy.watch({ table: kernel.table });
kernel.vfree(kernel.vmalloc(8192));
console.log(`${lazy.reports[0]?.class} ${lazy.reports[0]?.code}`, lazy.windows().length); // lazy frame-freed 1
kernel.vmUnmapAliases();
console.log(lazy.windows().length, lazy.errors.length); // 0 0
