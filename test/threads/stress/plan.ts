import type { AddressSpace, Description, FrameAllocator, PageTable } from '@vmarea/core';

/** The objects that all threads of a stress test use. */
export interface Shared extends Record<string, FrameAllocator | PageTable | AddressSpace> {
  /** Where pages come from. */
  readonly frames: FrameAllocator;
  /** Where tables come from. */
  readonly tables: FrameAllocator;
  readonly kernel: AddressSpace;
  /** A page table by itself. Each thread maps in a range of its own, and all meet in the upper tables. */
  readonly table: PageTable;
}

/** Where threads meet: first addresses of areas that the first thread has made. */
export interface Places {
  /** A sparse area. Page n belongs to lane n modulo `lanes`. */
  readonly sparse: bigint;
  /** A sparse area of pages that belong to nobody: who maps one first has it. */
  readonly contested: bigint;
  /** A lazy area that any thread populates. */
  readonly lazy: bigint;
  readonly lanes: number;
}

/** What a thread is told of the arena. */
export interface Invitation {
  readonly description: Description<Shared>;
  /** The name of the configuration. */
  readonly configuration: string;
  readonly places: Places;
  /** What the thread has for itself in the places: 0 and up. */
  readonly lane: number;
  /** By frame of `frames`: the lane that has it, plus one; 0 for none. */
  readonly owners: SharedArrayBuffer;
}
