import { FrameAllocator, PhysicalMemory, type Threads, wasmLoops } from '@vmarea/core';
import { OWN_PAGES, TURNS } from './job.js';

/** Frames for tables, beside those of a window of 4 GiB. */
const SPARE_TABLES = 1200;

/** A memory for threads with one arena: what its tables and pages come from. */
export interface WorkersMachine {
  readonly memory: PhysicalMemory;
  readonly tables: FrameAllocator;
  readonly ram: FrameAllocator;
}

/** Makes a memory that an arena of `workers` workers fits into. */
export function machineFor(pageShift: number, workers: number, threads: Threads): WorkersMachine {
  const tablePages = Math.ceil(2 ** 32 / 2 ** pageShift / (2 ** pageShift / 8)) + SPARE_TABLES;
  // What is freed waits for quiescent points: in the worst case until the end of a round.
  const pages = (TURNS + 2) * workers * OWN_PAGES;
  const memory = PhysicalMemory.create({
    bytes: (tablePages + pages) * 2 ** pageShift,
    shared: true,
    loops: wasmLoops,
  });
  const tables = new FrameAllocator(memory, { pageShift, first: 0, frames: tablePages, threads });
  const ram = new FrameAllocator(memory, { pageShift, first: tablePages, frames: pages, threads });
  return { memory, tables, ram };
}
