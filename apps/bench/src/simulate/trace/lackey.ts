import { type AccessBatch, FETCH, LOAD, MOST_ACCESS_BYTES, STORE } from '@vmarea/compare';
import { HEX, Lines, lineText, NEWLINE, RETURN, SPACE } from './lines.js';
import {
  BadTrace,
  MOST_DIGITS,
  type TraceCounts,
  type TraceReader,
  textRule,
  traceCounts,
} from './trace-reader.js';

const COMMA = 44;
const ZERO = 48;
const I = 73;
const L = 76;
const M = 77;
const S = 83;

/**
 * Reads the text of valgrind's tool lackey with `--trace-mem=yes`: `I  0401ab70,3`, ` L 1fff000678,8`, ` S …`, ` M …`. A modification is a
 * load and a store. Other lines are valgrind's own or the program's output: they are counted and left out.
 *
 * A line that begins as a record does, up to the first digit of its address, must be one.
 */
export class LackeyReader implements TraceReader {
  readonly isText = true;
  readonly counts: TraceCounts = traceCounts();
  readonly #lines: Lines = new Lines(this.counts);

  read(bytes: Uint8Array, end: number, batch: AccessBatch): number {
    const lines = this.#lines;
    let at = lines.isInside ? lines.pass(bytes, 0, end) : 0;
    batch.length = 0;
    while (at < end) {
      at = this.#records(bytes, at, end, batch);
      if (at >= end) break;
      const next = lines.endOf(bytes, at, end);
      if (next > 0 && startsRecord(bytes, at))
        throw new BadTrace(this.place(), LINE, lineText(bytes, at, next), textRule(1));
      const after = lines.pass(bytes, at, end);
      if (after < 0) break;
      at = after;
    }
    return at;
  }

  place(): number {
    return this.#lines.place();
  }

  /** Reads records up to a line that is none, or not whole, and returns where that starts. */
  #records(bytes: Uint8Array, from: number, end: number, batch: AccessBatch): number {
    const { kind, hi, lo, bytes: sizes } = batch;
    const first = batch.length;
    let length = first;
    let modified = 0;
    let at = from;
    for (;;) {
      const letter = letterAt(bytes, at);
      if (letter === 0) break;
      let i = at + 3;
      let low = 0;
      let high = 0;
      // Valgrind writes at least 8 digits. Eight at once are twice as fast as one by one.
      const d0 = HEX[bytes[i] as number] as number;
      const d1 = HEX[bytes[i + 1] as number] as number;
      const d2 = HEX[bytes[i + 2] as number] as number;
      const d3 = HEX[bytes[i + 3] as number] as number;
      const d4 = HEX[bytes[i + 4] as number] as number;
      const d5 = HEX[bytes[i + 5] as number] as number;
      const d6 = HEX[bytes[i + 6] as number] as number;
      const d7 = HEX[bytes[i + 7] as number] as number;
      if ((d0 | d1 | d2 | d3 | d4 | d5 | d6 | d7) < 16) {
        low = (d0 << 28) | (d1 << 24) | (d2 << 20) | (d3 << 16) | (d4 << 12) | (d5 << 8) | (d6 << 4) | d7;
        i += 8;
      }
      let digit = HEX[bytes[i] as number] as number;
      while (digit < 16) {
        high = (high << 4) | (low >>> 28);
        low = (low << 4) | digit;
        digit = HEX[bytes[++i] as number] as number;
      }
      const digits = i - at - 3;
      if (bytes[i] !== COMMA || digits === 0 || digits > MOST_DIGITS) break;
      let size = 0;
      let decimal = (bytes[++i] as number) - ZERO;
      while (decimal >= 0 && decimal <= 9) {
        size = size * 10 + decimal;
        decimal = (bytes[++i] as number) - ZERO;
      }
      if (bytes[i] === RETURN) i++;
      if (i >= end || bytes[i] !== NEWLINE || size === 0 || size > MOST_ACCESS_BYTES) break;
      kind[length] = letter === I ? FETCH : letter === S ? STORE : LOAD;
      hi[length] = high;
      lo[length] = low;
      sizes[length++] = size;
      if (letter === M) {
        kind[length] = STORE;
        hi[length] = high;
        lo[length] = low;
        sizes[length++] = size;
        modified++;
      }
      at = i + 1;
    }
    const records = length - first - modified;
    batch.length = length;
    this.counts.records += records;
    this.#lines.done += records;
    return at;
  }
}

const LINE = 'a record of lackey, such as I  0401ab70,3 or  L 1fff000678,8';

/** The letter of the record that starts here; 0 when none does. */
function letterAt(bytes: Uint8Array, at: number): number {
  if (bytes[at + 2] !== SPACE) return 0;
  const first = bytes[at];
  const second = bytes[at + 1];
  if (first === I) return second === SPACE ? I : 0;
  return first === SPACE && (second === L || second === S || second === M) ? second : 0;
}

function startsRecord(bytes: Uint8Array, at: number): boolean {
  return letterAt(bytes, at) !== 0 && (HEX[bytes[at + 3] as number] as number) < 16;
}
