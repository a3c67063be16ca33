import { hex, joinWords, words } from '@vmarea/core';
import type { Mmu } from '@vmarea/mmu';
import { FRAME_BYTES } from '../decode/steps.js';
import {
  CONTEXT_REGION,
  DATA_REGION,
  FIRST_REGION,
  FRAME_SHIFT,
  FRAMES,
  REGION_START,
  STACK_REGION,
} from '../link/addresses.js';
import type { LinkedProgram } from '../link/linked-program.js';
import type { ArenaPort, ArenaThreads } from './arena-port.js';

/** An access that belongs to nothing. The interpreter adds the place. */
export class BadAccess extends Error {}

/** Where the words of a frame end: from its start in the lower word of an address. */
const IN_FRAME = (1 << FRAME_SHIFT) - 1;
/** The interpreter's own bytes: the frames of the stack, then the context. */
const CONTEXT_AT = FRAMES * FRAME_BYTES;

/**
 * The memory that a program sees: its stack and its context, which are the interpreter's own; its global variables, which threads may
 * share; and the arena, by a processor. Addresses are two signed words.
 *
 * Loads of up to 32 bits return a signed word; zero-extended for 8 and 16 bits. A load of 64 bits leaves the upper word in `high`.
 */
export class Memory {
  /** Bits 63..32 of the last load of 64 bits; signed. */
  high = 0;
  /** The current frame, from 0 on: frames above it are not there. */
  depth = 0;
  readonly mmu: Mmu | null;
  /** The interpreter's own bytes. They are others when a context is larger. */
  ownWords: Int32Array = new Int32Array(0);
  ownHalves: Uint16Array = new Uint16Array(0);
  ownBytes: Uint8Array = new Uint8Array(0);
  #own: DataView = new DataView(new ArrayBuffer(0));
  #contextBytes = 0;
  readonly #data: DataView;
  readonly #dataWords: Int32Array;
  /** The same 64 bits at a time, for bytes that threads share: two words could be torn. */
  readonly #dataQuads: BigInt64Array | null;
  /** By region of data: first byte, length, and 1 for one that can be written. */
  readonly #starts: Int32Array;
  readonly #lengths: Int32Array;
  readonly #isWritable: Uint8Array;
  readonly #kernelHi: number;
  readonly #threads: ArenaThreads | null;
  readonly #kernelLo: number;

  constructor(program: LinkedProgram, arena: ArenaPort | null) {
    this.mmu = arena?.mmu ?? null;
    this.#threads = arena?.threads ?? null;
    const { hi, lo } = words(arena?.kernVmStart ?? 0n);
    this.#kernelHi = hi;
    this.#kernelLo = lo;
    const { data, regions } = program;
    this.#data = new DataView(data);
    this.#dataWords = new Int32Array(data);
    this.#dataQuads = isShared(data) ? new BigInt64Array(data) : null;
    this.#starts = Int32Array.from(regions, ({ at }) => at);
    this.#lengths = Int32Array.from(regions, ({ bytes }) => bytes);
    this.#isWritable = Uint8Array.from(regions, ({ isWritable }) => (isWritable ? 1 : 0));
    this.setContext(new Uint8Array(0));
  }

  /** Takes a copy of the bytes that a program gets as its context. */
  setContext(context: Uint8Array): void {
    const bytes = CONTEXT_AT + Math.ceil(context.length / 8) * 8;
    if (this.#own.byteLength < bytes) {
      this.#own = new DataView(new ArrayBuffer(bytes));
      this.ownWords = new Int32Array(this.#own.buffer);
      this.ownHalves = new Uint16Array(this.#own.buffer);
      this.ownBytes = new Uint8Array(this.#own.buffer);
    }
    this.#contextBytes = context.length;
    this.contextBytes().set(context);
  }

  /** The context, as the program left it. */
  contextBytes(): Uint8Array {
    return new Uint8Array(this.#own.buffer, CONTEXT_AT, this.#contextBytes);
  }

  load8(hi: number, lo: number): number {
    if (this.isArena(hi, lo)) return (this.mmu as Mmu).load8(this.#hi(hi, lo), this.#lo(lo), false);
    const at = this.#placeOf(hi, lo, 1, false);
    return at >= 0 ? this.#own.getUint8(at) : this.#data.getUint8(~at);
  }

  load16(hi: number, lo: number): number {
    if (this.isArena(hi, lo)) return (this.mmu as Mmu).load16(this.#hi(hi, lo), this.#lo(lo), false);
    const at = this.#placeOf(hi, lo, 2, false);
    return at >= 0 ? this.#own.getUint16(at, true) : this.#data.getUint16(~at, true);
  }

  load32(hi: number, lo: number): number {
    if (this.isArena(hi, lo)) return (this.mmu as Mmu).loadSigned32(this.#hi(hi, lo), this.#lo(lo), false);
    const at = this.#placeOf(hi, lo, 4, false);
    return at >= 0 ? this.#own.getInt32(at, true) : this.#data.getInt32(~at, true);
  }

  load64(hi: number, lo: number): number {
    if (this.isArena(hi, lo)) {
      const mmu = this.mmu as Mmu;
      const low = mmu.load64Words(this.#hi(hi, lo), this.#lo(lo), false);
      this.high = mmu.high;
      return low;
    }
    const at = this.#placeOf(hi, lo, 8, false);
    if (at >= 0) {
      this.high = this.#own.getInt32(at + 4, true);
      return this.#own.getInt32(at, true);
    }
    const from = ~at;
    if (this.#dataQuads !== null && (from & 7) === 0)
      return this.#keep(Atomics.load(this.#dataQuads, from >> 3));
    this.high = this.#data.getInt32(from + 4, true);
    return this.#data.getInt32(from, true);
  }

  store8(hi: number, lo: number, value: number): void {
    if (this.isArena(hi, lo)) {
      (this.mmu as Mmu).store8(this.#hi(hi, lo), this.#lo(lo), false, value);
      return;
    }
    const at = this.#placeOf(hi, lo, 1, true);
    if (at >= 0) this.#own.setUint8(at, value);
    else this.#data.setUint8(~at, value);
  }

  store16(hi: number, lo: number, value: number): void {
    if (this.isArena(hi, lo)) {
      (this.mmu as Mmu).store16(this.#hi(hi, lo), this.#lo(lo), false, value);
      return;
    }
    const at = this.#placeOf(hi, lo, 2, true);
    if (at >= 0) this.#own.setUint16(at, value, true);
    else this.#data.setUint16(~at, value, true);
  }

  store32(hi: number, lo: number, value: number): void {
    if (this.isArena(hi, lo)) {
      (this.mmu as Mmu).store32(this.#hi(hi, lo), this.#lo(lo), false, value);
      return;
    }
    const at = this.#placeOf(hi, lo, 4, true);
    if (at >= 0) this.#own.setInt32(at, value, true);
    else this.#data.setInt32(~at, value, true);
  }

  store64(hi: number, lo: number, valueHi: number, valueLo: number): void {
    if (this.isArena(hi, lo)) {
      (this.mmu as Mmu).store64Words(this.#hi(hi, lo), this.#lo(lo), false, valueHi, valueLo);
      return;
    }
    const at = this.#placeOf(hi, lo, 8, true);
    if (at >= 0) {
      this.#own.setInt32(at, valueLo, true);
      this.#own.setInt32(at + 4, valueHi, true);
      return;
    }
    const to = ~at;
    if (this.#dataQuads !== null && (to & 7) === 0) {
      Atomics.store(this.#dataQuads, to >> 3, joinWords(valueLo, valueHi));
      return;
    }
    this.#data.setInt32(to, valueLo, true);
    this.#data.setInt32(to + 4, valueHi, true);
  }

  /**
   * The words of a place outside of the arena, for an atomic access. It is naturally aligned.
   *
   * @throws BadAccess for an address that belongs to nothing.
   */
  wordsAt(hi: number, lo: number, size: number): Int32Array {
    const at = this.#placeOf(hi, lo, size, true);
    const all = at >= 0 ? this.ownWords : this.#dataWords;
    return all.subarray((at >= 0 ? at : ~at) >> 2, ((at >= 0 ? at : ~at) >> 2) + size / 4);
  }

  /** The bytes of a range outside of the arena. @throws BadAccess for a range that belongs to nothing. */
  bytesAt(hi: number, lo: number, size: number, isWrite: boolean): Uint8Array {
    const at = this.#placeOf(hi, lo, size, isWrite, 1);
    return at >= 0
      ? new Uint8Array(this.#own.buffer, at, size)
      : new Uint8Array(this.#data.buffer, this.#data.byteOffset + ~at, size);
  }

  /** Whether an address is one of the arena: its low 32 bits, moved by an offset of 16 bits. */
  isArena(hi: number, lo: number): boolean {
    if (hi === 0) return this.mmu !== null;
    if (hi === 1) return lo >= 0 && lo <= 32767 && this.mmu !== null;
    return hi === -1 && lo >= -32768 && lo < 0 && this.mmu !== null;
  }

  /** The kernel's address of one of the arena: its upper word. */
  kernelHi(hi: number, lo: number): number {
    return this.#hi(hi, lo);
  }

  /** Its lower word. */
  kernelLo(lo: number): number {
    return this.#lo(lo);
  }

  #hi(hi: number, lo: number): number {
    // Every access to the arena comes here. Another thread may have freed the page, and given its place to a new one.
    if (this.#threads?.isBehind === true) this.#threads.deliver();
    const sum = (this.#kernelLo + lo) | 0;
    return (this.#kernelHi + hi + (sum >>> 0 < lo >>> 0 ? 1 : 0)) | 0;
  }

  #lo(lo: number): number {
    return (this.#kernelLo + lo) | 0;
  }

  /** The byte of an address in the interpreter's own bytes; in the program's data as its complement, which is negative. */
  #placeOf(hi: number, lo: number, size: number, isWrite: boolean, align = size): number {
    const region = hi - FIRST_REGION;
    const offset = (lo >>> 0) - REGION_START;
    if (region === STACK_REGION) return this.#placeInStack(offset, size, align);
    if (region === CONTEXT_REGION) {
      if (offset < 0 || offset + size > this.#contextBytes) {
        throw new BadAccess(`${size} bytes at ${offset} of the context, which has ${this.#contextBytes}`);
      }
      return CONTEXT_AT + offset;
    }
    const index = region - DATA_REGION;
    const length = this.#lengths[index];
    if (length === undefined) throw new BadAccess(`the address ${hex(joinWords(lo, hi))} belongs to nothing`);
    if (offset < 0 || offset + size > length) {
      throw new BadAccess(`${size} bytes at ${offset} of variables that have ${length}`);
    }
    if (isWrite && this.#isWritable[index] === 0) throw new BadAccess('these variables are read-only');
    return ~((this.#starts[index] as number) + offset);
  }

  #placeInStack(offset: number, size: number, align: number): number {
    const frame = offset >> FRAME_SHIFT;
    const inFrame = offset & IN_FRAME;
    if (frame < 0 || frame > this.depth || inFrame + size > FRAME_BYTES) {
      const distance = offset - (this.depth * (1 << FRAME_SHIFT) + FRAME_BYTES);
      throw new BadAccess(
        `${size} bytes at r10 ${distance < 0 ? '-' : '+'} ${Math.abs(distance)} are in no frame`,
      );
    }
    // As Linux's verifier, which keeps each slot of the stack by itself.
    if ((inFrame & (align - 1)) !== 0) throw new BadAccess('the access to the stack is not aligned');
    return frame * FRAME_BYTES + inFrame;
  }

  #keep(value: bigint): number {
    this.high = Number(value >> 32n);
    return Number(BigInt.asIntN(32, value));
  }
}

function isShared(buffer: ArrayBuffer | SharedArrayBuffer): buffer is SharedArrayBuffer {
  return Object.prototype.toString.call(buffer) === '[object SharedArrayBuffer]';
}
