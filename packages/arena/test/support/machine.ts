import { configurations as arm64 } from '@vmarea/arm64';
import {
  AddressSpace,
  type Configuration,
  type FlushSink,
  FrameAllocator,
  PhysicalMemory,
  Process,
  wasmLoops,
} from '@vmarea/core';
import { Mmu } from '@vmarea/mmu';
import { configurations as riscv64 } from '@vmarea/riscv64';
import { configurations as x8664 } from '@vmarea/x86-64';
import { type Arena, type ArenaOptions, createArena } from '../../src/index.js';

const ALL: readonly Configuration[] = [...x8664, ...arm64, ...riscv64];

/** One configuration of each page size and architecture. */
export const MACHINES = ['x86-64', 'arm64-4k-48', 'arm64-16k-47', 'arm64-64k-48', 'riscv64-sv39'] as const;

/** Name of a machine. */
export type MachineName = (typeof MACHINES)[number];

interface MachineOptions {
  /** Pages for arenas and processes. Default: 4096. */
  readonly pages?: number;
  readonly sink?: FlushSink;
}

/** A machine with a kernel. */
export interface Machine {
  readonly kernel: AddressSpace;
  readonly memory: PhysicalMemory;
  /** Where pages come from; tables have an allocator of their own. */
  readonly ram: FrameAllocator;
  readonly tables: FrameAllocator;
  readonly page: number;
  readonly pageShift: number;
  readonly configuration: Configuration;
}

/** Makes a machine: frames of tables for two arenas, and frames of pages. */
export function machine(name: MachineName, { pages = 4096, sink }: MachineOptions = {}): Machine {
  const configuration = ALL.find((one) => one.name === name) as Configuration;
  const { format, linux } = configuration;
  const { pageShift } = format;
  const tablePages = pageShift === 12 ? 4700 : 700;
  const memory = PhysicalMemory.create({
    bytes: (tablePages + pages) * 2 ** pageShift,
    loops: wasmLoops,
  });
  const tables = new FrameAllocator(memory, { pageShift, first: 0, frames: tablePages });
  const ram = new FrameAllocator(memory, { pageShift, first: tablePages, frames: pages });
  const kernel = new AddressSpace({
    ...{ format, linux, memory, frames: tables, ram },
    ...(sink === undefined ? {} : { sink }),
  });
  return { kernel, memory, ram, tables, page: 2 ** pageShift, pageShift, configuration };
}

/** First user address that the kernel's selftests ask for: 1 << 44, and 1 << 32 on arm64 and where addresses are short. */
export function startOf(name: MachineName): bigint {
  return name === 'x86-64' ? 1n << 44n : 1n << 32n;
}

/** A machine with an arena. */
export function arenaOn(
  name: MachineName,
  options: ArenaOptions,
  more: MachineOptions = {},
): Machine & { readonly arena: Arena } {
  const made = machine(name, more);
  return { ...made, arena: createArena(made.kernel, options) };
}

/** A process with its processor. */
export function processOn({ kernel, memory, configuration }: Machine): { process: Process; mmu: Mmu } {
  const mmu = new Mmu({ memory, tables: null });
  const { userFormat } = configuration;
  const process = new Process({
    ...{ kernel, sink: mmu.sink },
    ...(userFormat === undefined ? {} : { userFormat }),
  });
  const { format, root } = process.table;
  mmu.switchTables({ format, root, controls: format.controls }, process.asid);
  return { process, mmu };
}
