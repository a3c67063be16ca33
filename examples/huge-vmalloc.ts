/**
 * Allocate 64 MiB with base pages and with larger leaves, on two architectures, and compare what the tables take.
 */
import { arm64, arm64Linux } from '@vmarea/arm64';
import { AddressSpace, type Configuration, FrameAllocator, PhysicalMemory } from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';

type Machine = Pick<Configuration, 'format' | 'linux'>;

const machines: readonly Machine[] = [
  { format: x8664(), linux: x8664Linux() },
  {
    format: arm64({ granule: 16, vaBits: 47, contiguous: true }),
    linux: arm64Linux({ granule: 16, vaBits: 47, contiguous: true }),
  },
];

/** Allocates, and describes leaves and tables. */
function cost({ format, linux }: Machine, isHuge: boolean): string {
  const { pageShift } = format;
  const memory = PhysicalMemory.create({ bytes: 8 << 20 });
  const frames = new FrameAllocator(memory, { pageShift });
  // Pages that nobody reads or writes need no bytes.
  const ram = new FrameAllocator(null, { pageShift, first: 2 ** 18, frames: 2 ** 16 });
  const kernel = new AddressSpace({ format, linux, memory, frames, ram });
  const address = isHuge ? kernel.vmallocHuge(64 << 20) : kernel.vmalloc(64 << 20);
  const { leaves } = kernel.findVmArea(address)?.populated() ?? { leaves: [] };
  const sizes = leaves.map(({ bytes, count }) => `${count} x ${bytes / 1024}K`).join(' + ');
  return `${format.name}: ${sizes}, ${frames.stats().allocated} tables`;
}

console.log(machines.map((machine) => cost(machine, false)).join('\n'));
// x86-64: 16384 x 4K, 36 tables
// arm64-16k-47: 4096 x 16K, 5 tables
console.log(machines.map((machine) => cost(machine, true)).join('\n'));
// x86-64: 32 x 2048K, 4 tables
// arm64-16k-47: 2 x 32768K, 3 tables

// vmapPagesRange takes page_shift, a promise that frames come in chunks of that size. Here chunks of 2 MiB become contiguous runs.
const { format, linux } = machines[1] as Machine;
const memory = PhysicalMemory.create({ bytes: 8 << 20 });
const frames = new FrameAllocator(memory, { pageShift: format.pageShift });
const kernel = new AddressSpace({ format, linux, memory, frames });
const area = kernel.getVmAreaNode({ size: 4 << 20, align: 2n << 20n });
const chunks = Array.from({ length: 256 }, (_, page) => 2 ** 18 + page);
kernel.vmapPagesRange(area.addr, area.addr + area.bytes, linux.protections.PAGE_KERNEL, chunks, 21);
console.log(area.populated().leaves); // [ { bytes: 2097152, count: 2 } ]
