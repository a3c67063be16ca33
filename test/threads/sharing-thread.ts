import { parentPort, workerData } from 'node:worker_threads';
import {
  type AddressSpace,
  attach,
  type Description,
  type FrameAllocator,
  type PageTable,
  type PhysicalMemory,
  VmError,
} from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';

/** What the thread is told. */
export interface Told {
  readonly description: Description<{
    kernel: AddressSpace;
    table: PageTable;
    memory: PhysicalMemory;
    frames: FrameAllocator;
  }>;
  readonly address: bigint;
}

/** What it has seen and done. */
export interface Seen {
  readonly frame: number;
  readonly pfn: number;
  readonly vmalloc: bigint;
  readonly flushes: readonly string[];
  /** The message of a second attach with what is left of the description. */
  readonly again: string;
}

const { description, address } = workerData as Told;
const flushes: string[] = [];
const parts = { formats: [x8664()], policies: [x8664Linux()] };
const { kernel, table, memory, frames, threads } = attach(description, {
  ...parts,
  sinks: { kernel: { flush: (va, bytes) => flushes.push(`${va} ${bytes}`) } },
});
const area = kernel.findVmArea(address);
if (area === null) throw new Error('the area is not there');
const frame = area.frameAt(0);
area.map(1, 0x99);
const pfn = frames.allocate();
memory.write32(BigInt(pfn) << 12n, 0x600df00d);
table.map(0x7000n, [0x55], x8664Linux().protections.PAGE_KERNEL);
const vmalloc = kernel.vmalloc(2 * 4096);
area.map(2, 0x77);
area.unmap(0);
threads.leave();
let again = '';
try {
  attach(description, parts);
} catch (error) {
  again = error instanceof VmError ? error.message : String(error);
}
const seen: Seen = { frame, pfn, vmalloc, flushes, again };
parentPort?.postMessage(seen);
