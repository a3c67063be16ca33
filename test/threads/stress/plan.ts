import type { AddressSpace, Description, FrameAllocator, PageTable } from '@vmarea/core';

/** The objects that all threads of a stress use. */
export interface Shared extends Record<string, FrameAllocator | PageTable | AddressSpace> {
  readonly frames: FrameAllocator;
  /** Frames of tables alone. */
  readonly tables: FrameAllocator;
  readonly kernel: AddressSpace;
  /** A page table by itself. Each thread maps in a range of its own, and all meet in the upper tables. */
  readonly table: PageTable;
}

/** Where threads meet: addresses of areas that the first thread made. */
export interface Places {
  /** A sparse area. Page n belongs to thread n modulo `lanes`. */
  readonly sparse: bigint;
  /** A sparse area of pages that belong to nobody: who maps one first has it. */
  readonly contested: bigint;
  /** A lazy area that any thread populates. */
  readonly lazy: bigint;
  readonly lanes: number;
}

/** What one thread is told. */
export interface ThreadJob {
  readonly description: Description<Shared>;
  readonly configuration: string;
  readonly places: Places;
  /** Its lane in the places: 0 and up. */
  readonly lane: number;
  readonly seed: number;
  readonly operations: number;
  /** By frame of `frames`: which lane has it, plus one; 0 for nobody. */
  readonly owners: SharedArrayBuffer;
  /** Operations of all threads that are done: one word. */
  readonly done: SharedArrayBuffer;
  /** False: it stops where it is, with all that it has. True: it gives everything back first. */
  readonly tidies: boolean;
}

/** What a thread says at its end. */
export interface ThreadReport {
  /** How often each operation ran, and how often it was refused. */
  readonly counts: Readonly<Record<string, number>>;
}
