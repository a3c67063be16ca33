import { join, write } from './entry';

// Loops that write leaves. Address fields are parameters, as `address-codec.ts` describes them, so this code knows no architecture.
// Each loop checks all frames before it writes. `firstLive` checks before that whether the slots are free. That call takes 6 ns;
// three copies of its loop here would not fit into the module.

/**
 * Writes a run of leaves whose frames are below 2^32, four at a time.
 *
 * @param highest - no frame may be above it.
 * @returns -1; or the index of the first frame that does not fit, without writing anything.
 */
export function writeNarrow(
  p: usize,
  count: u32,
  frames: usize,
  rotate: u32,
  maskLo: u32,
  maskHi: u32,
  flagsLo: u32,
  flagsHi: u32,
  highest: u32,
): i32 {
  if (highest !== u32.MAX_VALUE) {
    const bad = firstAbove(frames, count, highest);
    if (bad >= 0) return bad;
  }
  const mask = join(maskLo, maskHi);
  const flags = join(flagsLo, flagsHi);
  let i: u32 = 0;
  if (!ASC_FEATURE_THREADS && isShift(mask, rotate)) {
    const both = i64x2.splat(flags);
    // A multiply, not a shift: V8 has to load the count of a shift that is no constant (0.34 → 0.25 ns an entry, Node 20).
    const factor = i32x4.splat(1 << rotate);
    for (const blocks = count & ~3; i < blocks; i += 4) {
      const four = v128.load(frames + (i << 2));
      const q = p + (i << 3);
      v128.store(q, v128.or(i64x2.extmul_low_i32x4_u(four, factor), both));
      v128.store(q, v128.or(i64x2.extmul_high_i32x4_u(four, factor), both), 16);
    }
  }
  for (; i < count; i++) {
    const turned = rotl<u32>(load<u32>(frames + (i << 2)), rotate);
    write(p + (i << 3), (join(turned, turned) & mask) | flags);
  }
  return -1;
}

/**
 * Writes a run of leaves with frames of any size.
 *
 * @param limit - all frames must be below it.
 * @returns -1; or the index of the first frame that does not fit, without writing anything.
 */
export function writeWide(
  p: usize,
  count: u32,
  frames: usize,
  lowRotate: u32,
  lowLo: u32,
  lowHi: u32,
  highLoRotate: u32,
  highLo: u32,
  highHiRotate: u32,
  highHi: u32,
  flagsLo: u32,
  flagsHi: u32,
  limit: f64,
): i32 {
  for (let i: u32 = 0; i < count; i++) {
    const frame = load<f64>(frames + (i << 3));
    // This form refuses NaN.
    if (!(frame >= 0 && frame < limit)) return i;
  }
  const low64 = join(lowLo, lowHi);
  const flags = join(flagsLo, flagsHi);
  for (let i: u32 = 0; i < count; i++) {
    const frame = load<f64>(frames + (i << 3)) as i64;
    const turned = rotl<u32>(frame as u32, lowRotate);
    const high = (frame >> 32) as u32;
    const above = join(rotl<u32>(high, highLoRotate) & highLo, rotl<u32>(high, highHiRotate) & highHi);
    write(p + (i << 3), (join(turned, turned) & low64) | above | flags);
  }
  return -1;
}

/**
 * Writes a run of leaves over adjacent frames, `step` apart. The frames agree in bits 32 and up, which `flagsLo` and `flagsHi`
 * contain.
 */
export function writeLinear(
  p: usize,
  count: u32,
  low: u32,
  step: u32,
  rotate: u32,
  maskLo: u32,
  maskHi: u32,
  flagsLo: u32,
  flagsHi: u32,
): void {
  const mask = join(maskLo, maskHi);
  const flags = join(flagsLo, flagsHi);
  let i: u32 = 0;
  if (!ASC_FEATURE_THREADS && isShift(mask, rotate)) {
    // The frames agree above bit 31, so no sum carries into bit 32. Each entry is the one before plus a step.
    const each = (step as u64) << (rotate as u64);
    const first = ((low as u64) << (rotate as u64)) | flags;
    const steps = i64x2.splat(4 * each);
    let one = i64x2.replace_lane(i64x2.splat(first), 1, first + each);
    let two = i64x2.add(one, i64x2.splat(2 * each));
    for (const blocks = count & ~3; i < blocks; i += 4) {
      const q = p + (i << 3);
      v128.store(q, one);
      v128.store(q, two, 16);
      one = i64x2.add(one, steps);
      two = i64x2.add(two, steps);
    }
  }
  for (; i < count; i++) {
    const turned = rotl<u32>(low + i * step, rotate);
    write(p + (i << 3), (join(turned, turned) & mask) | flags);
  }
}

/** True when an entry holds a frame of 32 bits shifted left, in one piece. Every known format does. */
function isShift(mask: u64, by: u32): bool {
  return mask === (0xffffffff as u64) << (by as u64);
}

/** The index of the first frame above a limit; -1 when all are within it. */
function firstAbove(frames: usize, count: u32, highest: u32): i32 {
  let i: u32 = 0;
  if (!ASC_FEATURE_THREADS) {
    const limits = i32x4.splat(highest);
    for (const blocks = count & ~3; i < blocks; i += 4) {
      if (v128.any_true(i32x4.gt_u(v128.load(frames + (i << 2)), limits))) break;
    }
  }
  for (; i < count; i++) {
    if (load<u32>(frames + (i << 2)) > highest) return i;
  }
  return -1;
}
