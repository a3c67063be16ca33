import type { AddressSpace, Description, FrameAllocator, PhysicalMemory, Process } from '@vmarea/core';

/** The objects that all threads of the stress test of processes use. */
export interface SharedProcesses
  extends Record<string, FrameAllocator | PhysicalMemory | AddressSpace | Process> {
  readonly memory: PhysicalMemory;
  /** Where pages come from. */
  readonly frames: FrameAllocator;
  /** Where tables come from. */
  readonly tables: FrameAllocator;
  readonly kernel: AddressSpace;
  readonly left: Process;
  readonly right: Process;
}

/** Where threads meet. */
export interface ProcessPlaces {
  /** First address of the device in both processes. */
  readonly device: bigint;
  /** Number of its operations, for `registerRegionKind`. */
  readonly kind: number;
  /** Frames of the device, by page. */
  readonly pages: readonly number[];
  /** Addresses that belong to nobody. */
  readonly contested: bigint;
  /** Addresses of lane 0; those of the next lanes follow. */
  readonly lanes: bigint;
}

/** Pages of the range of each lane, and of the contested one. */
export const LANE_PAGES = 24;
/** Pages of the device. */
export const DEVICE_PAGES = 8;

/** What a thread is told of the arena. */
export interface ProcessInvitation {
  readonly description: Description<SharedProcesses>;
  /** The name of the configuration. */
  readonly configuration: string;
  readonly places: ProcessPlaces;
  /** What the thread has for itself: 0 and up. */
  readonly lane: number;
}
