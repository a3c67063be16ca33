import type { ArenaDescription } from '@vmarea/arena';
import type { AddressSpace, Description, FrameAllocator, Process } from '@vmarea/core';

/** The objects that all threads of the stress test of an arena use. */
export interface Shared extends Record<string, FrameAllocator | AddressSpace | Process> {
  /** Where pages come from. */
  readonly frames: FrameAllocator;
  readonly kernel: AddressSpace;
  /** Two processes that map the arena. */
  readonly first: Process;
  readonly second: Process;
}

/** What a thread is told. */
export interface Invitation {
  readonly description: Description<Shared>;
  readonly arena: ArenaDescription;
  /** The name of the configuration. */
  readonly configuration: string;
  /** The thread's number, 0 and up. */
  readonly lane: number;
  /** By slot of the arena: the lane that has it, plus one; 0 for none. */
  readonly owners: SharedArrayBuffer;
}

/** First user address of the arena: every format translates it. */
export const START: bigint = 1n << 32n;
/** Pages of the arena. */
export const PAGES = 192;

/** What a lane writes to its page of a slot, at some words. Never 0. */
export function markOf(slot: number, lane: number): number {
  return ((lane + 1) << 16) | (slot + 1);
}

/** The slot of a mark; -1 for none. */
export function slotOf(mark: number): number {
  return (mark & 0xffff) - 1;
}
