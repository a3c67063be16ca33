import { join } from './entry';

// Loops that write leaves only into slots that are 0, one exchange each, for shared memory. Each answers -1 when all was written;
// else the index of the first slot that was taken, and the slots before it are written.

/** The same as `writeNarrow`, whose caller has checked the frames. */
export function claimNarrow(
  p: usize,
  count: u32,
  frames: usize,
  rotate: u32,
  maskLo: u32,
  maskHi: u32,
  flagsLo: u32,
  flagsHi: u32,
): i32 {
  const mask = join(maskLo, maskHi);
  const flags = join(flagsLo, flagsHi);
  for (let i: u32 = 0; i < count; i++) {
    const turned = rotl<u32>(load<u32>(frames + (i << 2)), rotate);
    if (!claim(p + (i << 3), (join(turned, turned) & mask) | flags)) return i;
  }
  return -1;
}

/** The same as `writeLinear`. */
export function claimLinear(
  p: usize,
  count: u32,
  low: u32,
  step: u32,
  rotate: u32,
  maskLo: u32,
  maskHi: u32,
  flagsLo: u32,
  flagsHi: u32,
): i32 {
  const mask = join(maskLo, maskHi);
  const flags = join(flagsLo, flagsHi);
  for (let i: u32 = 0; i < count; i++) {
    const turned = rotl<u32>(low + i * step, rotate);
    if (!claim(p + (i << 3), (join(turned, turned) & mask) | flags)) return i;
  }
  return -1;
}

/** Writes an entry into a slot that is 0. */
function claim(q: usize, entry: u64): bool {
  return atomic.cmpxchg<u64>(q, 0, entry) === 0;
}
