import { createHash } from 'node:crypto';
import type { FrameAllocator, PhysicalMemory } from '@vmarea/core';
import { fingerprint as fingerprintWith } from '@vmarea/testkit';
import { TableRecords } from '../../src/table/state/table-records.js';

/** A memory, and the allocator whose frames are tables in it. */
interface Tables {
  readonly memory: PhysicalMemory;
  readonly frames: FrameAllocator;
}

/** Everything that a refused call must leave alone; bytes of free frames do not count. */
export function fingerprint({ memory, frames }: Tables): string {
  return fingerprintWith(memory, frames, TableRecords.of(frames).state);
}

/** All bytes of a memory, the allocator's state and the records, without the next owner's number, which only rises. */
export function digest({ memory, frames }: Tables): string {
  const hash = createHash('sha256').update(new Uint8Array(frames.state));
  hash.update(new Uint8Array(TableRecords.of(frames).state).subarray(4));
  for (const { words } of memory.banks) {
    hash.update(new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
  }
  return hash.digest('hex');
}
