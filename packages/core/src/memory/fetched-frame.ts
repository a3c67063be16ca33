import type { ByteBank, MakeLoops } from './bank.js';
import { readOnly } from './bank-search.js';

/**
 * One frame of a bank that fetches its frames, as a bank of its own. Its bytes never change. So they stay right for a walk or a
 * listing that holds it, also when its cache no longer does.
 *
 * It is not linear: a walk must ask the memory for the tables that it points to.
 */
export class FetchedFrame implements ByteBank {
  readonly base: bigint;
  readonly bytes: number;
  readonly writable: boolean = false;
  readonly linear: boolean = false;
  readonly start: number;
  readonly end: number;
  readonly words: Int32Array;
  readonly loops = null;
  readonly atomic = null;

  /** @param bytes - of the frame, aligned to 8. */
  constructor(
    readonly pfn: number,
    readonly pageShift: number,
    bytes: Uint8Array,
  ) {
    this.start = pfn * 2 ** pageShift;
    this.end = this.start + bytes.length;
    this.base = BigInt(this.start);
    this.bytes = bytes.length;
    this.words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  }

  useLoops(_make: MakeLoops): void {}

  wordOf(pfn: number, pageShift: number): number {
    if (pfn === this.pfn && pageShift === this.pageShift) return 0;
    const address = pfn * 2 ** pageShift;
    return address >= this.start && address + 2 ** pageShift <= this.end ? (address - this.start) / 4 : -1;
  }

  wordAt(low: number, high: number, pageShift: number): number {
    return this.wordOf(high * 4294967296 + (low >>> 0), pageShift);
  }

  offsetOf(address: number): number {
    return address < this.start || address >= this.end ? -1 : address - this.start;
  }

  adjacent(address: number): number {
    return this.offsetOf(address) < 0 ? 0 : this.end - address;
  }

  read32(offset: number): number {
    return (this.words[offset / 4] as number) >>> 0;
  }

  read64(offset: number): bigint {
    return BigInt(this.read32(offset)) | (BigInt(this.read32(offset + 4)) << 32n);
  }

  write32(): void {
    throw readOnly(this.base);
  }

  write64(): void {
    throw readOnly(this.base);
  }
}
