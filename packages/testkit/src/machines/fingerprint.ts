import { createHash } from 'node:crypto';
import { takenFrames } from '@vmarea/conformance';
import type { FrameAllocator, PhysicalMemory } from '@vmarea/core';

/**
 * Everything that a refused call must leave alone, as one string: the allocator's state, the engine's records of tables, and the
 * bytes of all frames that are given out. Free frames do not count: a table that was made and given back leaves its bytes there.
 *
 * @param records - what the engine keeps of the tables from this allocator. It is no part of core's API: its tests hand it in.
 */
export function fingerprint(
  memory: PhysicalMemory,
  frames: FrameAllocator,
  records: ArrayBufferLike,
): string {
  const hash = createHash('sha256').update(new Uint8Array(frames.state)).update(new Uint8Array(records));
  for (const pfn of takenFrames(frames)) {
    hash.update(memory.bytesAt(BigInt(pfn) << BigInt(frames.pageShift), 2 ** frames.pageShift));
  }
  return hash.digest('hex');
}
