import { addressHi, addressLo } from '../../address-codec.js';
import type { EntryTemplate } from '../../entry-template.js';
import { ArrayLoops } from '../array-loops.js';
import type { LoopPlace } from '../loop-provider.js';
import type { EntryWords, RunLoops } from '../run-loops.js';
import { type FrameSource, type SharedRunLoops, unfit, type WalkLoops, WRITTEN } from '../run-loops.js';
import { SharedArrayLoops } from '../shared-array-loops.js';
import { claimEach, linearPiece, storeEach } from '../write-loops.js';
import { type Resident, Scratch } from './scratch.js';
import type { LoopExports, SharedLoopExports } from './wasm-exports.js';
import type { Start } from './wasm-finder.js';
import { instantiate } from './wasm-module.js';
import { WasmWalks } from './wasm-walks.js';

/**
 * Runs shorter than this use the loops in JavaScript, which start at once. A call into WebAssembly costs 4
 * to 12 ns, by its number of parameters. Break-even was at 4 to 10 entries (Node 20).
 */
const SHORT = 12;

/**
 * The loops in WebAssembly, over the WebAssembly.Memory of the bank.
 *
 * An instance is made when it is first needed. So to import the package, or to use a memory with short runs
 * only, costs nothing. The loops in JavaScript take over when the host refuses, and when a scratch page is
 * needed and there is none.
 */
export class WasmLoops implements RunLoops {
  high: number = 0;
  readonly isShared: boolean;
  /** For short runs, and where the host refuses. */
  readonly #plain: ArrayLoops;
  readonly #place: LoopPlace;
  /**
   * Byte offset of the bank as a signed 32-bit integer. Addresses wrap around at 4 GiB, as those of
   * WebAssembly do.
   */
  readonly #base: number;
  /** On shared memory even a single entry must be one atomic. */
  readonly #short: number;
  #wasm: LoopExports | null = null;
  #scratch: Scratch | null = null;
  readonly #resident: Resident = { plan: null };
  readonly #walks: WasmWalks | null;
  #isTried: boolean = false;

  constructor(bank: EntryWords, place: LoopPlace, planOf: WalkLoops['planOf']) {
    this.isShared = place.isShared;
    this.#plain = place.isShared ? new SharedArrayLoops(bank) : new ArrayLoops(bank);
    const start: Start = () => {
      const wasm = this.#loops();
      return wasm === null || this.#scratch === null ? null : { wasm, scratch: this.#scratch };
    };
    this.#place = place;
    this.#walks = place.scratch === 0 ? new WasmWalks(this.#resident, start, planOf) : null;
    this.#base = place.byteOffset | 0;
    this.#short = place.isShared ? 0 : SHORT;
  }

  /** `'array'` when the host has refused. */
  get kind(): 'array' | 'wasm' {
    return this.#loops() === null ? 'array' : 'wasm';
  }

  get walks(): WalkLoops | null {
    return this.#walks;
  }

  writeFrames(at: number, count: number, source: FrameSource, from: number, template: EntryTemplate): number {
    const wasm = this.#loopsFor(count);
    if (wasm === null) return this.#plain.writeFrames(at, count, source, from, template);
    const scratch = this.#scratch;
    if (scratch === null || count > scratch.capacity(source)) {
      return this.isShared
        ? storeEach(this, at, count, source, from, template)
        : this.#plain.writeFrames(at, count, source, from, template);
    }
    const { lo, hi, address, pfnLimit } = template;
    const { lowRotate, lowLo, lowHi } = address;
    const p = this.#byte(at);
    const frames = scratch.stage(source, from, count);
    if (source.narrow !== null) {
      const highest = Math.min(pfnLimit, 4294967296) - 1;
      return wasm.writeNarrow(p, count, frames, lowRotate, lowLo, lowHi, lo, hi, highest);
    }
    const { highLoRotate, highLo, highHiRotate, highHi } = address;
    return wasm.writeWide(
      p,
      count,
      frames,
      lowRotate,
      lowLo,
      lowHi,
      highLoRotate,
      highLo,
      highHiRotate,
      highHi,
      lo,
      hi,
      pfnLimit,
    );
  }

  writeLinear(at: number, count: number, pfn: number, step: number, template: EntryTemplate): void {
    const wasm = this.#loopsFor(count);
    if (wasm === null) {
      this.#plain.writeLinear(at, count, pfn, step, template);
      return;
    }
    const { address } = template;
    const { lowRotate, lowLo, lowHi } = address;
    let p = this.#byte(at);
    let next = pfn;
    let left = count;
    while (left > 0) {
      const piece = linearPiece(next, step, left);
      const high = Math.floor(next / 4294967296);
      const lo = template.lo | addressLo(address, 0, high);
      const hi = template.hi | addressHi(address, 0, high);
      wasm.writeLinear(p, piece, next, step, lowRotate, lowLo, lowHi, lo, hi);
      p = (p + 8 * piece) | 0;
      next += piece * step;
      left -= piece;
    }
  }

  claimFrames(at: number, count: number, source: FrameSource, from: number, template: EntryTemplate): number {
    const wasm = this.#atomics();
    if (wasm === null) return this.#sharedPlain().claimFrames(at, count, source, from, template);
    const scratch = this.#scratch;
    if (scratch === null || source.narrow === null || count > scratch.capacity(source))
      return claimEach(this, at, count, source, from, template);
    const { lo, hi, address, pfnLimit } = template;
    const frames = scratch.stage(source, from, count);
    // The copy is checked: another thread may change the list.
    const bad = scratch.firstUnfit(frames, count, pfnLimit);
    if (bad >= 0) return unfit(bad);
    const { lowRotate, lowLo, lowHi } = address;
    return wasm.claimNarrow(this.#byte(at), count, frames, lowRotate, lowLo, lowHi, lo, hi);
  }

  claimLinear(at: number, count: number, pfn: number, step: number, template: EntryTemplate): number {
    const wasm = this.#atomics();
    if (wasm === null) return this.#sharedPlain().claimLinear(at, count, pfn, step, template);
    const { address } = template;
    const { lowRotate, lowLo, lowHi } = address;
    let next = pfn;
    for (let done = 0; done < count; ) {
      const piece = linearPiece(next, step, count - done);
      const high = Math.floor(next / 4294967296);
      const lo = template.lo | addressLo(address, 0, high);
      const hi = template.hi | addressHi(address, 0, high);
      const p = this.#byte(at + 2 * done);
      const taken = wasm.claimLinear(p, piece, next, step, lowRotate, lowLo, lowHi, lo, hi);
      if (taken !== WRITTEN) return done + taken;
      next += piece * step;
      done += piece;
    }
    return WRITTEN;
  }

  take(at: number, count: number, into: Int32Array, from: number): number {
    const wasm = this.#atomics();
    if (wasm === null) return this.#sharedPlain().take(at, count, into, from);
    let live = 0;
    for (let i = 0; i < 2 * count; i += 2) {
      const lo = wasm.take64(this.#byte(at + i));
      const hi = wasm.high();
      into[from + i] = lo;
      into[from + i + 1] = hi;
      if ((lo | hi) !== 0) live++;
    }
    return live;
  }

  get(at: number, count: number, into: Int32Array, from: number): void {
    const wasm = this.#atomics();
    if (wasm === null) {
      this.#plain.get(at, count, into, from);
      return;
    }
    for (let i = 0; i < 2 * count; i += 2) {
      into[from + i] = wasm.load64(this.#byte(at + i));
      into[from + i + 1] = wasm.high();
    }
  }

  put(at: number, words: Int32Array, from: number, count: number): void {
    const wasm = this.#atomics();
    if (wasm === null) {
      this.#plain.put(at, words, from, count);
      return;
    }
    for (let i = 0; i < 2 * count; i += 2)
      wasm.store64(this.#byte(at + i), words[from + i] as number, words[from + i + 1] as number);
  }

  erase(at: number, count: number): void {
    // On memory that is not shared, the host's own fill is the fastest.
    if (this.isShared) this.clear(at, count);
    else this.#plain.erase(at, count);
  }

  clear(at: number, count: number): number {
    const wasm = this.#loopsFor(count);
    return wasm === null ? this.#plain.clear(at, count) : wasm.clear(this.#byte(at), count);
  }

  firstLive(at: number, count: number): number {
    const wasm = this.#loopsFor(count);
    return wasm === null ? this.#plain.firstLive(at, count) : wasm.firstLive(this.#byte(at), count);
  }

  lastLive(at: number, count: number): number {
    const wasm = this.#loopsFor(count);
    return wasm === null ? this.#plain.lastLive(at, count) : wasm.lastLive(this.#byte(at), count);
  }

  countLive(at: number, count: number): number {
    const wasm = this.#loopsFor(count);
    return wasm === null ? this.#plain.countLive(at, count) : wasm.countLive(this.#byte(at), count);
  }

  matching(
    at: number,
    count: number,
    maskLo: number,
    maskHi: number,
    valueLo: number,
    valueHi: number,
  ): number {
    const wasm = this.#loopsFor(count);
    return wasm === null
      ? this.#plain.matching(at, count, maskLo, maskHi, valueLo, valueHi)
      : wasm.matching(this.#byte(at), count, maskLo, maskHi, valueLo, valueHi);
  }

  change(
    at: number,
    count: number,
    maskLo: number,
    maskHi: number,
    valueLo: number,
    valueHi: number,
  ): number {
    const wasm = this.#loopsFor(count);
    return wasm === null
      ? this.#plain.change(at, count, maskLo, maskHi, valueLo, valueHi)
      : wasm.change(this.#byte(at), count, maskLo, maskHi, valueLo, valueHi);
  }

  copy(to: number, from: number, count: number): void {
    const wasm = this.#loopsFor(count);
    if (wasm === null) this.#plain.copy(to, from, count);
    else wasm.copy(this.#byte(to), this.#byte(from), count);
  }

  firstDifference(a: number, b: number, count: number): number {
    const wasm = this.#loopsFor(count);
    return wasm === null
      ? this.#plain.firstDifference(a, b, count)
      : wasm.firstDifference(this.#byte(a), this.#byte(b), count);
  }

  load64(at: number): number {
    const wasm = this.#atomics();
    if (wasm === null) {
      const word = this.#plain.load64(at);
      this.high = this.#plain.high;
      return word;
    }
    const lo = wasm.load64(this.#byte(at));
    this.high = wasm.high();
    return lo;
  }

  store64(at: number, lo: number, hi: number): void {
    const wasm = this.#atomics();
    if (wasm === null) this.#plain.store64(at, lo, hi);
    else wasm.store64(this.#byte(at), lo, hi);
  }

  cas64(at: number, expectedLo: number, expectedHi: number, lo: number, hi: number): boolean {
    const wasm = this.#atomics();
    return wasm === null
      ? this.#plain.cas64(at, expectedLo, expectedHi, lo, hi)
      : wasm.cas64(this.#byte(at), expectedLo, expectedHi, lo, hi) !== 0;
  }

  #sharedPlain(): SharedRunLoops {
    return this.#plain as SharedArrayLoops;
  }

  #byte(at: number): number {
    return (this.#base + (at << 2)) | 0;
  }

  /** The loops for a run; `null` when it is too short for a call to pay, or when the host has refused. */
  #loopsFor(count: number): LoopExports | null {
    return count < this.#short ? null : this.#loops();
  }

  /** `null` on memory that no other thread uses: two plain accesses are enough there. */
  #atomics(): SharedLoopExports | null {
    return this.isShared ? (this.#loops() as SharedLoopExports | null) : null;
  }

  #loops(): LoopExports | null {
    if (!this.#isTried) {
      const { memory, isShared, scratch } = this.#place;
      this.#isTried = true;
      this.#wasm = instantiate(memory, isShared);
      if (this.#wasm !== null && scratch !== null)
        this.#scratch = new Scratch(memory, this.#resident, scratch);
    }
    return this.#wasm;
  }
}
