// First steps: areas, addresses, a walk, and everything back.
import { AddressSpace, FrameAllocator, hex, PhysicalMemory, VM_SPARSE } from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';

const memory = PhysicalMemory.create({ bytes: 16 << 20 });
const frames = new FrameAllocator(memory);
const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames });

// Linux's calls return the addresses that Linux would return.
const buffer = kernel.vmalloc(12 << 10, { caller: 'fork_init+0x5d/0x160' });
const timer = kernel.ioremap(0xfed00000n, 1024, { caller: 'hpet_enable+0x2f/0x320' });
console.log(hex(buffer), hex(timer)); // 0xffffc90000000000 0xffffc90000004000

// A sparse area: reserved now, mapped later. Pages are named by their number in the area.
const area = kernel.getVmArea(4n << 30n, VM_SPARSE);
area.map(0, [0x1234, 0x99, 0x7001]); // frame numbers for pages 0, 1 and 2
area.map(1_000_000, 0x42);
console.log(hex(BigInt(area.frameAt(2)))); // 0x0000000000007001

// A walk shows every entry that the MMU reads, and why an access faults.
const walk = kernel.table.walk(buffer, { kind: 'execute', user: false });
console.log(walk.steps.map(({ name, index }) => `${name}[${index}]`).join(' ')); // PGD[402] PUD[0] PMD[0] PTE[0]
console.log(walk.fault?.kind, walk.fault?.code.name, walk.fault?.code.code); // permission #PF 17

// Everything goes back.
kernel.vfree(buffer);
kernel.iounmap(timer);
kernel.freeVmArea(area);
kernel.destroy();
console.log(frames.stats().allocated); // 0
