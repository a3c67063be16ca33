import type { TranslatedBatch } from '../show/translate.js';

const DIGITS = new TextEncoder().encode('0123456789abcdef');
/** Digits of a byte: the upper one, and the lower one. */
const UPPER: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => DIGITS[byte >> 4] as number);
const LOWER: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => DIGITS[byte & 15] as number);
/** Longest line: JSON with two addresses and a number. */
const LINE = 96;

/** Writes translated addresses as text, byte by byte: a string for each would cost more than its translation. */
export class TranslationText {
  readonly #pageShift: number;
  readonly #parts: {
    readonly start: Uint8Array;
    readonly found: Uint8Array;
    readonly missed: Uint8Array;
    /** What stands behind a physical address, by log2 bytes of the leaf. */
    readonly ends: readonly Uint8Array[];
  };
  #bytes = new Uint8Array();
  #length = 0;

  /** @param sizeOf - the name of a leaf's size, for people. */
  constructor(pageShift: number, isJson: boolean, sizeOf: (shift: number) => string) {
    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
    this.#pageShift = pageShift;
    this.#parts = {
      start: bytes(isJson ? '{"va":"0x' : '0x'),
      found: bytes(isJson ? '","pa":"0x' : '  0x'),
      missed: bytes(isJson ? '","pa":null,"leafBytes":null}\n' : '  -\n'),
      ends: Array.from({ length: 64 }, (_, shift) =>
        bytes(
          isJson
            ? `","leafBytes":"0x${(2n ** BigInt(shift)).toString(16).padStart(16, '0')}"}\n`
            : `  ${sizeOf(shift)}\n`,
        ),
      ),
    };
  }

  /** A batch as lines, in ASCII. */
  of({ count, words, frames, leafShifts }: TranslatedBatch): Uint8Array {
    // A stream may keep what it is given.
    this.#bytes = new Uint8Array(count * LINE);
    this.#length = 0;
    const { start, found, missed, ends } = this.#parts;
    const inside = 2 ** this.#pageShift - 1;
    const pages = 2 ** (32 - this.#pageShift);
    for (let i = 0; i < count; i++) {
      const lo = words[2 * i] as number;
      const frame = frames[i] as number;
      this.#put(start);
      this.#digits(words[2 * i + 1] as number);
      this.#digits(lo);
      if (frame < 0) {
        this.#put(missed);
        continue;
      }
      this.#put(found);
      this.#digits(Math.floor(frame / pages));
      this.#digits(((frame % pages) << this.#pageShift) | (lo & inside));
      this.#put(ends[leafShifts[i] as number] as Uint8Array);
    }
    return this.#bytes.subarray(0, this.#length);
  }

  #put(part: Uint8Array): void {
    const bytes = this.#bytes;
    let at = this.#length;
    for (let i = 0; i < part.length; i++) bytes[at++] = part[i] as number;
    this.#length = at;
  }

  #digits(word: number): void {
    const bytes = this.#bytes;
    let at = this.#length;
    for (let shift = 24; shift >= 0; shift -= 8) {
      const byte = (word >>> shift) & 255;
      bytes[at++] = UPPER[byte] as number;
      bytes[at++] = LOWER[byte] as number;
    }
    this.#length = at;
  }
}
