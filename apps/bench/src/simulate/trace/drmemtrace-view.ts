import { type AccessBatch, FETCH, LOAD, MOST_ACCESS_BYTES, STORE } from '@vmarea/compare';
import { HEX, Lines, lineText, NEWLINE, SPACE } from './lines.js';
import {
  BadTrace,
  MOST_DIGITS,
  type TraceCounts,
  type TraceReader,
  textRule,
  traceCounts,
} from './trace-reader.js';

const COLON = 58;
const ZERO = 48;
const NO_KIND = 255;

/** The word of a record in the text, and what it is as an access. */
const WORDS: readonly (readonly [string, number])[] = [
  ['ifetch', FETCH],
  ['read', LOAD],
  ['write', STORE],
];
const BYTES_AT = bytesOf(' byte(s) @ 0x');

/**
 * Reads what drmemtrace's tool `view` prints: number of the record, of the instruction, thread, then
 * `ifetch|read|write N byte(s) @ 0xADDRESS` and more. Markers and all else are counted and left out.
 *
 * A line with one of the three words and a number must be a record.
 */
export class DrmemtraceViewReader implements TraceReader {
  readonly isText = true;
  readonly counts: TraceCounts = traceCounts();
  readonly #lines: Lines = new Lines(this.counts);

  read(bytes: Uint8Array, end: number, batch: AccessBatch): number {
    const lines = this.#lines;
    let at = lines.isInside ? lines.pass(bytes, 0, end) : 0;
    batch.length = 0;
    while (at < end) {
      const next = lines.endOf(bytes, at, end);
      if (next > 0 && this.#record(bytes, at, next, batch)) {
        lines.done++;
        at = next;
        continue;
      }
      const after = lines.pass(bytes, at, end);
      if (after < 0) break;
      at = after;
    }
    return at;
  }

  place(): number {
    return this.#lines.place();
  }

  /** Reads a line. Returns false when it is no record. */
  #record(bytes: Uint8Array, start: number, end: number, batch: AccessBatch): boolean {
    let at = afterThread(bytes, start, end);
    if (at < 0) return false;
    const kind = kindAt(bytes, at);
    if (kind === NO_KIND) return false;
    at = skipSpaces(bytes, at + (WORDS[kind] as readonly [string, number])[0].length);
    const sizeAt = at;
    let size = 0;
    for (
      let digit = (bytes[at] as number) - ZERO;
      digit >= 0 && digit <= 9;
      digit = (bytes[at] as number) - ZERO
    ) {
      size = size * 10 + digit;
      at++;
    }
    if (at === sizeAt) return false;
    const isRecord = size <= MOST_ACCESS_BYTES && isAt(bytes, at, BYTES_AT);
    const address = at + BYTES_AT.length;
    const { length } = batch;
    const after = isRecord ? readHex(bytes, address, batch) : address;
    if (after === address || after - address > MOST_DIGITS)
      throw new BadTrace(this.place(), RECORD, lineText(bytes, start, end), textRule(0));
    batch.kind[length] = kind;
    batch.bytes[length] = size === 0 ? 1 : size;
    batch.length = length + 1;
    this.counts.records++;
    return true;
  }
}

const RECORD = 'a record of drmemtrace’s view, such as 7 2: W0.T9 read 8 byte(s) @ 0x7ffd0010';

/** Where the word after `record instruction: thread` starts; -1 when the line is another. */
function afterThread(bytes: Uint8Array, start: number, end: number): number {
  let at = skipSpaces(bytes, start);
  let numbers = 0;
  for (; numbers < 2 && isDigit(bytes[at]); numbers++) {
    while (isDigit(bytes[at])) at++;
    if (numbers === 0) at = skipSpaces(bytes, at);
  }
  if (numbers < 2 || bytes[at] !== COLON) return -1;
  at = skipSpaces(bytes, at + 1);
  while (at < end && bytes[at] !== SPACE && bytes[at] !== NEWLINE) at++;
  return skipSpaces(bytes, at);
}

/** The kind of access that a word names; `NO_KIND` for another word. */
function kindAt(bytes: Uint8Array, at: number): number {
  const letter = bytes[at];
  const kind = letter === 0x69 ? FETCH : letter === 0x72 ? LOAD : letter === 0x77 ? STORE : NO_KIND;
  return kind !== NO_KIND && isAt(bytes, at, NAMES[kind] as Uint8Array) ? kind : NO_KIND;
}

const NAMES: readonly Uint8Array[] = WORDS.map(([word]) => bytesOf(`${word} `));

/** Reads an address into the place after the batch's last access, and returns where it ends. */
function readHex(bytes: Uint8Array, start: number, { hi, lo, length }: AccessBatch): number {
  let at = start;
  let high = 0;
  let low = 0;
  for (
    let digit = HEX[bytes[at] as number] as number;
    digit < 16;
    digit = HEX[bytes[++at] as number] as number
  ) {
    high = (high << 4) | (low >>> 28);
    low = (low << 4) | digit;
  }
  hi[length] = high;
  lo[length] = low;
  return at;
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function isAt(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  for (let i = 0; i < wanted.length; i++) if (bytes[at + i] !== wanted[i]) return false;
  return true;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= ZERO + 9;
}

function skipSpaces(bytes: Uint8Array, from: number): number {
  let at = from;
  while (bytes[at] === SPACE) at++;
  return at;
}
