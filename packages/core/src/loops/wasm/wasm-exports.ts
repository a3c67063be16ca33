/**
 * What the binaries export, from the sources in `assembly/`. Addresses are in bytes, all numbers are 32-bit integers where
 * nothing else is said; WebAssembly takes them signed or unsigned.
 *
 * The loops that write take 9 to 13 numbers, since the address codec is among them. It could be in the scratch page instead,
 * written once for a format. That was tried: 12 narrow frames took 11.0 ns instead of 10.8, 12 wide ones 41 instead of 46, and
 * for 512 frames there was no difference. The module grew by 32 bytes, of 97 that are left. And a given memory has no scratch
 * page.
 */
export interface LoopExports {
  /** Index of the first frame above `highest`; -1 when all was written. */
  writeNarrow(
    p: number,
    count: number,
    frames: number,
    rotate: number,
    maskLo: number,
    maskHi: number,
    flagsLo: number,
    flagsHi: number,
    highest: number,
  ): number;
  /** The same; `limit` is a double. */
  writeWide(
    p: number,
    count: number,
    frames: number,
    lowRotate: number,
    lowLo: number,
    lowHi: number,
    highLoRotate: number,
    highLo: number,
    highHiRotate: number,
    highHi: number,
    flagsLo: number,
    flagsHi: number,
    limit: number,
  ): number;
  writeLinear(
    p: number,
    count: number,
    low: number,
    step: number,
    rotate: number,
    maskLo: number,
    maskHi: number,
    flagsLo: number,
    flagsHi: number,
  ): void;
  clear(p: number, count: number): number;
  firstLive(p: number, count: number): number;
  lastLive(p: number, count: number): number;
  countLive(p: number, count: number): number;
  matching(
    p: number,
    count: number,
    maskLo: number,
    maskHi: number,
    valueLo: number,
    valueHi: number,
  ): number;
  change(p: number, count: number, maskLo: number, maskHi: number, valueLo: number, valueHi: number): number;
  copy(to: number, from: number, count: number): void;
  firstDifference(a: number, b: number, count: number): number;
  /** Works on the contents of the scratch pages. */
  walkMany(count: number, isFirst: number): number;
  /** Walks by the plan in the scratch pages. Word index in the bank, or -1. */
  findEntry(hi: number, lo: number): number;
  /** The same by a plan of four levels. */
  findEntry4(hi: number, lo: number): number;
}

/** What the binary for shared memory also exports. */
export interface SharedLoopExports extends LoopExports {
  load64(p: number): number;
  high(): number;
  store64(p: number, lo: number, hi: number): void;
  cas64(p: number, expectedLo: number, expectedHi: number, lo: number, hi: number): number;
  /** Returns the low word before; `high` gives the other. */
  take64(p: number): number;
  /** The frames are checked. Index of the first slot that was taken; -1 for none. */
  claimNarrow(
    p: number,
    count: number,
    frames: number,
    rotate: number,
    maskLo: number,
    maskHi: number,
    flagsLo: number,
    flagsHi: number,
  ): number;
  claimLinear(
    p: number,
    count: number,
    low: number,
    step: number,
    rotate: number,
    maskLo: number,
    maskHi: number,
    flagsLo: number,
    flagsHi: number,
  ): number;
}
