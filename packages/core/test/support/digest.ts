import { createHash } from 'node:crypto';
import type { FrameAllocator, PhysicalMemory } from '@vmarea/core';
import { TableRecords } from '../../src/table/state/table-records.js';

/** All bytes of a memory, the allocator's state and the records, without the next owner's number, which only rises. */
export function digest({ memory, frames }: { memory: PhysicalMemory; frames: FrameAllocator }): string {
  const hash = createHash('sha256').update(new Uint8Array(frames.state));
  hash.update(new Uint8Array(TableRecords.of(frames).state).subarray(4));
  for (const { words } of memory.banks) {
    hash.update(new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
  }
  return hash.digest('hex');
}
