import { FrameAllocator, PageTable, PhysicalMemory, protection } from '@vmarea/core';
import { Mmu, shootdown } from '@vmarea/mmu';
import { X8664_INVALIDATIONS, x8664 } from '@vmarea/x86-64';

const memory = PhysicalMemory.create({ bytes: 8 << 20 });
const frames = new FrameAllocator(memory);
const format = x8664();
const user = protection({ write: true, user: true });

// Two processors, and one sink for both. A queued flush waits until its processor takes the interrupt.
const processor = () => new Mmu({ memory, tables: null, invalidations: X8664_INVALIDATIONS });
const cpus = [processor(), processor()] as const;
const sink = shootdown(cpus, { queued: true });

// Two address spaces with an ASID each (x86-64: PCID). A flush of a table names its own.
const make = (asid: number) => new PageTable({ format, memory, frames, sink, asid });
const [first, second] = [make(1), make(2)];
first.map(0x40_0000n, [100], user);
second.map(0x40_0000n, [101], user);
for (const cpu of cpus) cpu.switchTables({ format, root: first.root, controls: format.controls }, 1);

// One processor stores, the other loads.
cpus[0].store32(0, 0x40_0000, true, 7);
console.log(cpus[1].load32(0, 0x40_0000, true)); // 7

// The page goes. Until the interrupt arrives, a processor may still use it.
first.unmap(0x40_0000n, 4096);
console.log(sink.pending(), cpus[1].load32(0, 0x40_0000, true)); // 2 7
sink.deliver(cpus[1]);
console.log(cpus[1].access(0x40_0000n, 'read', true).fault?.kind, sink.pending()); // not-present 1
sink.deliver();

// A switch with ASIDs forgets nothing: each address space comes back to what it had.
const cpu = cpus[0];
first.map(0x40_0000n, [100], user);
for (let round = 0; round < 3; round++)
  for (const [asid, { root }] of [first, second].entries()) {
    cpu.switchRoot(root, asid + 1);
    cpu.load32(0, 0x40_0000, true);
  }
const before = cpu.counters.walks;
cpu.switchRoot(first.root, 1);
cpu.load32(0, 0x40_0000, true);
console.log(cpu.counters.walks - before); // 0
