import { rotateRight } from '../../src/address-codec.js';
import { UNKNOWN_FRAME } from '../../src/loops/run-loops.js';
import {
  ABOVE_BIAS,
  ABOVE_SHIFT,
  ABOVE_SPAN,
  DEPTH,
  HIGH_HI,
  HIGH_HI_ROTATE,
  HIGH_LO,
  HIGH_LO_ROTATE,
  INSIDE_HI,
  INSIDE_HIGH,
  INSIDE_LO,
  INSIDE_LOW,
  LAST_TABLE,
  LEAF_MASK_HI,
  LEAF_MASK_LO,
  LEAF_VALUE_HI,
  LEAF_VALUE_LO,
  LEVELS,
  LOW_HI,
  LOW_LO,
  LOW_ROTATE,
  MAY_BE_OTHER,
  NAPOT_HI,
  NAPOT_INSIDE,
  NAPOT_LO,
  OFFSET,
  PAGE_SHIFT,
  ROOT,
  ROTATE,
  SHIFT,
  SLOT_MASK,
  STRIDE,
  TABLE_MASK_HI,
  TABLE_MASK_LO,
  TABLE_VALUE_HI,
  TABLE_VALUE_LO,
} from '../../src/loops/walk-layout.js';

/** The frame of an address without translation. */
const NO_FRAME = -1;

/** What `WalkLoops.walkMany` must answer: the same walk, in plain TypeScript. */
export function walkMany(
  words: Int32Array,
  plan: Int32Array,
  addresses: Uint32Array,
  frames: Float64Array,
  leafShifts: Uint8Array | null,
): void {
  const depth = plan[DEPTH] as number;
  const root = plan[ROOT] as number;
  const lastTable = (plan[LAST_TABLE] as number) >>> 0;
  const pageShift = plan[PAGE_SHIFT] as number;
  const aboveShift = plan[ABOVE_SHIFT] as number;
  const aboveBias = plan[ABOVE_BIAS] as number;
  const aboveSpan = (plan[ABOVE_SPAN] as number) >>> 0;
  const insideLo = plan[INSIDE_LO] as number;
  const insideHi = plan[INSIDE_HI] as number;
  const rotate = plan[ROTATE] as number;
  const offset = plan[OFFSET] as number;
  for (let i = 0; i < addresses.length / 2; i++) {
    const vaLo = (addresses[2 * i] as number) | 0;
    const vaHi = (addresses[2 * i + 1] as number) | 0;
    let frame = NO_FRAME;
    let leafShift = 0;
    if (((vaHi >> aboveShift) + aboveBias) >>> 0 <= aboveSpan) {
      let table = root;
      for (let level = LEVELS, last = LEVELS + depth * STRIDE; level < last; level += STRIDE) {
        const shift = plan[level + SHIFT] as number;
        const moved = shift >= 32 ? vaHi >>> (shift - 32) : (vaLo >>> shift) | ((vaHi << 1) << (31 - shift));
        const at = table + ((moved & (plan[level + SLOT_MASK] as number)) << 1);
        const lo = words[at] as number;
        const hi = words[at + 1] as number;
        const isTable =
          (((lo & (plan[level + TABLE_MASK_LO] as number)) ^ (plan[level + TABLE_VALUE_LO] as number)) |
            ((hi & (plan[level + TABLE_MASK_HI] as number)) ^ (plan[level + TABLE_VALUE_HI] as number))) ===
          0;
        if (isTable) {
          table = (rotateRight((lo & insideLo) | (hi & insideHi), rotate) - offset) | 0;
          if (table >>> 0 <= lastTable) continue;
          frame = UNKNOWN_FRAME;
        } else {
          const isLeaf =
            (((lo & (plan[level + LEAF_MASK_LO] as number)) ^ (plan[level + LEAF_VALUE_LO] as number)) |
              ((hi & (plan[level + LEAF_MASK_HI] as number)) ^ (plan[level + LEAF_VALUE_HI] as number))) ===
            0;
          if (isLeaf) {
            frame = frameOf(plan, level, lo, hi, vaLo, vaHi, pageShift);
            leafShift = shift;
          } else if (plan[level + MAY_BE_OTHER] === 1) {
            frame = UNKNOWN_FRAME;
          }
        }
        break;
      }
    }
    frames[i] = frame;
    if (leafShifts !== null) leafShifts[i] = leafShift;
  }
}

function frameOf(
  plan: Int32Array,
  level: number,
  lo: number,
  hi: number,
  vaLo: number,
  vaHi: number,
  pageShift: number,
): number {
  const insideLow = plan[level + INSIDE_LOW] as number;
  const insideHigh = plan[level + INSIDE_HIGH] as number;
  const isNapot =
    ((lo & (plan[level + NAPOT_LO] as number)) | (hi & (plan[level + NAPOT_HI] as number))) !== 0;
  const inside = insideLow | (isNapot ? (plan[level + NAPOT_INSIDE] as number) : 0);
  const low = rotateRight(
    (lo & (plan[LOW_LO] as number)) | (hi & (plan[LOW_HI] as number)),
    plan[LOW_ROTATE] as number,
  );
  const high =
    rotateRight(lo & (plan[HIGH_LO] as number), plan[HIGH_LO_ROTATE] as number) |
    rotateRight(hi & (plan[HIGH_HI] as number), plan[HIGH_HI_ROTATE] as number);
  const pageLow = (vaLo >>> pageShift) | (vaHi << (32 - pageShift));
  const frameLow = ((low & ~inside) | (pageLow & inside)) >>> 0;
  return ((high & ~insideHigh) | ((vaHi >>> pageShift) & insideHigh)) * 4294967296 + frameLow;
}
