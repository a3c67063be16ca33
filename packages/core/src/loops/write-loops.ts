import { addressHi, addressLo, entryHi, entryLo } from '../address-codec.js';
import type { EntryTemplate } from '../entry-template.js';
import { type FrameSource, type SharedRunLoops, unfit, WRITTEN } from './run-loops.js';

// Loops that write leaves into a typed array. Each does one thing and allocates nothing.

/** Index, from `from` on, of the first frame that is not below a limit; -1 for none. */
export function firstUnfit(
  pfns: Uint32Array | Float64Array,
  from: number,
  count: number,
  limit: number,
): number {
  for (let i = 0; i < count; i++) {
    const pfn = pfns[from + i] as number;
    // Written so that NaN fails. The array may belong to another thread too.
    if (!(pfn >= 0 && pfn < limit)) return i;
  }
  return -1;
}

/** Writes a run of leaves whose frames are below 2^32. */
export function writeNarrow(
  table: Int32Array,
  at: number,
  count: number,
  pfns: Uint32Array,
  from: number,
  { lo, hi, address }: EntryTemplate,
): void {
  // `| 0` keeps every number a 32-bit integer for the compiler: 1.7 ns an entry instead of 1.9.
  const left = address.lowRotate | 0;
  const right = (32 - left) | 0;
  const maskLo = address.lowLo | 0;
  const maskHi = address.lowHi | 0;
  const end = (from + count) | 0;
  let i = at | 0;
  for (let p = from | 0; p < end; p = (p + 1) | 0) {
    const pfn = (pfns[p] as number) | 0;
    const turned = (pfn << left) | (pfn >>> right);
    table[i] = lo | (turned & maskLo);
    table[i | 1] = hi | (turned & maskHi);
    i = (i + 2) | 0;
  }
}

/** Writes a run of leaves with frames of any size. */
export function writeWide(
  table: Int32Array,
  at: number,
  count: number,
  pfns: Float64Array,
  from: number,
  { lo, hi, address }: EntryTemplate,
): void {
  for (let i = at, p = from, end = from + count; p < end; i += 2, p++) {
    const pfn = pfns[p] as number;
    const low = pfn | 0;
    const high = (pfn / 4294967296) | 0;
    table[i] = lo | addressLo(address, low, high);
    table[i + 1] = hi | addressHi(address, low, high);
  }
}

/**
 * How many of `left` frames, from `pfn` on and `step` apart, have the same bits 32 and up. It is nearly
 * always all of them.
 */
export function linearPiece(pfn: number, step: number, left: number): number {
  return Math.min(left, Math.ceil(((Math.floor(pfn / 4294967296) + 1) * 4294967296 - pfn) / step));
}

/** Writes a run of leaves over adjacent frames, `step` base pages each. */
export function writeLinear(
  table: Int32Array,
  at: number,
  count: number,
  pfn: number,
  step: number,
  template: EntryTemplate,
): void {
  const { address } = template;
  let i = at;
  let next = pfn;
  let left = count;
  while (left > 0) {
    // Within one piece the loop steps a 32-bit word.
    const piece = linearPiece(next, step, left);
    const high = Math.floor(next / 4294967296);
    const lo = template.lo | addressLo(address, 0, high);
    const hi = template.hi | addressHi(address, 0, high);
    const rotate = address.lowRotate;
    const maskLo = address.lowLo;
    const maskHi = address.lowHi;
    let low = next | 0;
    for (const end = i + 2 * piece; i < end; i += 2) {
      const turned = (low << rotate) | (low >>> (32 - rotate));
      table[i] = lo | (turned & maskLo);
      table[i + 1] = hi | (turned & maskHi);
      low = (low + step) | 0;
    }
    next += piece * step;
    left -= piece;
  }
}

/** `RunLoops.writeFrames` by a store for each entry. */
export function storeEach(
  loops: Pick<SharedRunLoops, 'store64'>,
  at: number,
  count: number,
  { narrow, wide }: FrameSource,
  from: number,
  { lo, hi, address, pfnLimit }: EntryTemplate,
): number {
  const pfns = (narrow ?? wide) as Uint32Array | Float64Array;
  const bad = firstUnfit(pfns, from, count, pfnLimit);
  if (bad >= 0) return bad;
  for (let i = 0; i < count; i++) {
    const pfn = pfns[from + i] as number;
    loops.store64(at + 2 * i, lo | entryLo(address, pfn), hi | entryHi(address, pfn));
  }
  return WRITTEN;
}

/** `SharedRunLoops.claimFrames` by a compare-exchange for each entry. */
export function claimEach(
  loops: Pick<SharedRunLoops, 'cas64'>,
  at: number,
  count: number,
  { narrow, wide }: FrameSource,
  from: number,
  { lo, hi, address, pfnLimit }: EntryTemplate,
): number {
  const pfns = (narrow ?? wide) as Uint32Array | Float64Array;
  const bad = firstUnfit(pfns, from, count, pfnLimit);
  if (bad >= 0) return unfit(bad);
  for (let i = 0; i < count; i++) {
    const pfn = pfns[from + i] as number;
    if (!loops.cas64(at + 2 * i, 0, 0, lo | entryLo(address, pfn), hi | entryHi(address, pfn))) return i;
  }
  return WRITTEN;
}
