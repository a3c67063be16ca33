import { MISSING, type TranslatedBatch } from '../show/translate.js';

/** Four hexadecimal digits of each number of 16 bits, as bytes of a big-endian word. */
const DIGITS: Uint32Array = Uint32Array.from({ length: 65536 }, (_, half) => {
  const text = half.toString(16).padStart(4, '0');
  return [0, 1, 2, 3].reduce((word, i) => word * 256 + text.charCodeAt(i), 0);
});
/** Longest line: JSON with two addresses and a number. */
const LINE = 96;

/** Writes translated addresses as text, byte by byte: a string for each would cost more than its translation. */
export class TranslationText {
  readonly #pageShift: number;
  readonly #parts: {
    readonly start: Uint8Array;
    readonly found: Uint8Array;
    readonly missed: Uint8Array;
    /** For an address whose table the dump lacks. */
    readonly unknown: Uint8Array;
    /** What stands behind a physical address, by log2 bytes of the leaf. */
    readonly ends: readonly Uint8Array[];
  };

  /** @param sizeOf - the name of a leaf's size, for people. */
  constructor(pageShift: number, isJson: boolean, sizeOf: (shift: number) => string) {
    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
    this.#pageShift = pageShift;
    this.#parts = {
      start: bytes(isJson ? '{"va":"0x' : '0x'),
      found: bytes(isJson ? '","pa":"0x' : '  0x'),
      missed: bytes(isJson ? '","pa":null,"leafBytes":null}\n' : '  -\n'),
      unknown: bytes(isJson ? '","pa":null,"leafBytes":null,"missing":true}\n' : '  ?\n'),
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
    const bytes = new Uint8Array(count * LINE);
    const view = new DataView(bytes.buffer);
    const { start, found, missed, unknown, ends } = this.#parts;
    const inside = 2 ** this.#pageShift - 1;
    const pages = 2 ** (32 - this.#pageShift);
    let at = 0;
    for (let i = 0; i < count; i++) {
      const lo = words[2 * i] as number;
      const frame = frames[i] as number;
      at = put(bytes, at, start);
      at = digits(view, at, words[2 * i + 1] as number, lo);
      if (frame < 0) {
        at = put(bytes, at, frame === MISSING ? unknown : missed);
        continue;
      }
      at = put(bytes, at, found);
      at = digits(view, at, Math.floor(frame / pages), ((frame % pages) << this.#pageShift) | (lo & inside));
      at = put(bytes, at, ends[leafShifts[i] as number] as Uint8Array);
    }
    return bytes.subarray(0, at);
  }
}

function put(bytes: Uint8Array, at: number, part: Uint8Array): number {
  for (let i = 0; i < part.length; i++) bytes[at + i] = part[i] as number;
  return at + part.length;
}

/** Writes 16 digits. */
function digits(view: DataView, at: number, hi: number, lo: number): number {
  view.setUint32(at, DIGITS[hi >>> 16] as number);
  view.setUint32(at + 4, DIGITS[hi & 0xffff] as number);
  view.setUint32(at + 8, DIGITS[lo >>> 16] as number);
  view.setUint32(at + 12, DIGITS[lo & 0xffff] as number);
  return at + 16;
}
