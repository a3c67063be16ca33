// Runs: 16 pages of 4 KiB that say together that they are one large page. riscv64 calls it NAPOT, arm64 the contiguous hint.
import { FrameAllocator, PageTable, PhysicalMemory, protection } from '@vmarea/core';
import { riscv64 } from '@vmarea/riscv64';

const memory = PhysicalMemory.create({ bytes: 1 << 20 });
const frames = new FrameAllocator(memory);
const format = riscv64({ mode: 'sv39', svnapot: true });
const table = new PageTable({ format, memory, frames });
const va = 0x40_0000n;

// 128 KiB whose frames are aligned, too: two runs.
table.mapRange(va, 0x8000_0000n, 128 << 10, protection({ user: true, write: true }));
console.log(table.walk(va).leaf?.runShift); // 16

// One page of the first run goes. The run becomes pages, the other run stays.
table.unmap(va + 0x3000n, 4096);
console.log(table.walk(va).leaf?.runShift); // null
console.log(table.walk(va + 0x10000n).leaf?.runShift); // 16
console.log(table.walk(va + 0x3000n).fault?.kind); // not-present
