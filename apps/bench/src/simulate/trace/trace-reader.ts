import { type AccessBatch, MOST_ACCESS_BYTES } from '@vmarea/compare';

/** Reads one format of traces, from its start. Reading a trace again takes a new reader. */
export interface TraceReader {
  /** Whether a record is a line. Then the last one may lack its end. */
  readonly isText: boolean;
  /** What was read so far. */
  readonly counts: TraceCounts;
  /**
   * Parses the records that are whole, and puts their accesses into the batch.
   *
   * @param bytes - of the trace, continued from where the last call ended. They are aligned to 8 bytes in their buffer.
   * @param end - how many of them there are.
   * @returns how many bytes are done. The caller gives the rest again, with more behind it.
   * @throws BadTrace for a record that cannot be.
   */
  read(bytes: Uint8Array, end: number, batch: AccessBatch): number;
  /** The number of the next line or record, counted from 1. */
  place(): number;
}

/** What a reader counted. */
export interface TraceCounts {
  /** Records that give accesses. */
  records: number;
  /** Lines or records of other kinds, which are left out. */
  others: number;
  /** The first of them, for people; empty for none. */
  firstOther: string;
}

/** New counts. */
export function traceCounts(): TraceCounts {
  return { records: 0, others: 0, firstOther: '' };
}

/** The most hexadecimal digits of an address of 64 bits. */
export const MOST_DIGITS = 16;

/**
 * What the address and the size of a record of a text must be, for people.
 *
 * @param least - the smallest size.
 */
export function textRule(least: number): string {
  return `an address has 1 to ${MOST_DIGITS} hexadecimal digits, a size is ${least} to ${MOST_ACCESS_BYTES}`;
}

/** A record that cannot be read. The caller adds the name of the file. */
export class BadTrace extends Error {
  override readonly name = 'BadTrace';

  /**
   * @param place - the number of the line or record, counted from 1.
   * @param expected - what should be there.
   * @param found - what is there.
   * @param rule - what the record must keep to; default: `expected` says it all.
   */
  constructor(
    readonly place: number,
    expected: string,
    found: string,
    rule = '',
  ) {
    super(`expected ${expected}, not ${found}${rule === '' ? '' : `; ${rule}`}`);
  }
}
