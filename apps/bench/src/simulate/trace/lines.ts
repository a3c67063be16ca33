import { printable } from '@vmarea/core';
import type { TraceCounts } from './trace-reader.js';

export const NEWLINE = 10;
export const RETURN = 13;
export const SPACE = 32;

/** No record is longer. A longer line without an end is passed over in parts. */
const LONGEST = 4096;
/** Characters of a line that people see. */
const SHOWN = 60;

/** The value of each byte as a hexadecimal digit; 255 for others. */
export const HEX: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  const value = Number.parseInt(String.fromCharCode(byte), 16);
  return Number.isNaN(value) ? 255 : value;
});

/** The text of a line, for people: in quotes, shortened. */
export function lineText(bytes: Uint8Array, at: number, end: number): string {
  const text = new TextDecoder('latin1').decode(bytes.subarray(at, Math.min(end, at + SHOWN + 1))).trimEnd();
  return `'${printable(text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text)}'`;
}

/** The lines of a text: their number, and those that are no records. */
export class Lines {
  /** Lines that are done. */
  done = 0;
  readonly #counts: TraceCounts;
  /** Inside a line that is longer than any record. */
  #isInside = false;

  constructor(counts: TraceCounts) {
    this.#counts = counts;
  }

  /** The end of a line, after its newline; -1 when it is not here. */
  endOf(bytes: Uint8Array, at: number, end: number): number {
    const newline = bytes.indexOf(NEWLINE, at);
    return newline < 0 || newline >= end ? -1 : newline + 1;
  }

  /**
   * Passes over a line that is no record, and counts it.
   *
   * @returns where the next line starts; -1 when the line has no end yet.
   */
  pass(bytes: Uint8Array, at: number, end: number): number {
    const next = this.endOf(bytes, at, end);
    if (next < 0 && end - at < LONGEST) return -1;
    const counts = this.#counts;
    if (!this.#isInside) {
      if (counts.others === 0) counts.firstOther = lineText(bytes, at, next < 0 ? end : next);
      counts.others++;
    }
    this.#isInside = next < 0;
    if (next < 0) return end;
    this.done++;
    return next;
  }

  /** Whether the bytes continue a line that `pass` began. */
  get isInside(): boolean {
    return this.#isInside;
  }

  /** The number of the next line, counted from 1. */
  place(): number {
    return this.done + 1;
  }
}
