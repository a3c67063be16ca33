import { configurations as arm64 } from '@vmarea/arm64';
import {
  AddressSpace,
  type AddressSpaceOptions,
  type Configuration,
  FrameAllocator,
  PhysicalMemory,
  Process,
  type Region,
  RegionObject,
  wasmLoops,
} from '@vmarea/core';
import { configurations as riscv64 } from '@vmarea/riscv64';
import { configurations as x8664 } from '@vmarea/x86-64';
import { configurations as la57 } from '@vmarea/x86-64-la57';

/** Every configuration of every format. */
export const CONFIGURATIONS: readonly Configuration[] = [...x8664, ...la57, ...arm64, ...riscv64];

/** The configuration of a name. */
export function configuration(name: string): Configuration {
  const found = CONFIGURATIONS.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no configuration ${name}`);
  return found;
}

/** A flush as the sink saw it. */
interface Flush {
  readonly va: bigint;
  readonly bytes: bigint;
}

/** First frame of the memory that vmalloc gives out. It has no bytes. */
export const RAM_FIRST = 2 ** 20;

/** Options of a kernel; by default it has 4 MiB of tables and 2^18 frames without bytes. */
export type KernelOptions = Partial<AddressSpaceOptions> & {
  /** Pages that hold tables. */
  readonly tablePages?: number;
  /** Frames of vmalloc memory; with 0 it comes from the memory of the tables. */
  readonly ramFrames?: number;
  /** Called inside each flush. */
  readonly onFlush?: (flush: Flush) => void;
};

/** A kernel of one configuration, and what it is made of. */
export function kernelOf(name: string, options: KernelOptions = {}) {
  const { tablePages = 1024, ramFrames = 2 ** 18, onFlush, ...rest } = options;
  const { format, linux } = configuration(name);
  const { pageShift } = format;
  const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: tablePages * 2 ** pageShift });
  const frames = new FrameAllocator(memory, { pageShift });
  const ram =
    ramFrames === 0 ? frames : new FrameAllocator(null, { pageShift, first: RAM_FIRST, frames: ramFrames });
  const flushes: Flush[] = [];
  const kernel = new AddressSpace({
    ...{ format, linux, memory, frames, ram },
    sink: {
      flush: (va, bytes) => {
        flushes.push({ va, bytes });
        onFlush?.({ va, bytes });
      },
    },
    ...rest,
  });
  const pageBytes = 2 ** pageShift;
  /** Address of a page of the vmalloc window. */
  const at = (page: number): bigint => linux.window.start + BigInt(page) * BigInt(pageBytes);
  return { kernel, format, linux, memory, frames, ram, flushes, pageBytes, pageShift, at };
}

/** A shared region of a new process of a kernel. The process belongs to the test. */
export function regionOf(kernel: AddressSpace, name: string, bytes: number | bigint, address = 0x40_0000n) {
  const { userFormat } = configuration(name);
  const user = new Process({ kernel, ...(userFormat === undefined ? {} : { userFormat }) });
  const rights = { read: true, write: true };
  user.mmap({
    length: bytes,
    address,
    fixed: 'noReplace',
    shared: true,
    object: new RegionObject(),
    ...rights,
  });
  return { user, region: user.findRegion(address) as Region, start: address };
}

/** Frames from one on. */
export function framesFrom(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}
