import type { AreaInfo, AreaWord } from './area.js';

/** One line of /proc/vmallocinfo. */
export interface VmallocinfoLine {
  /** `area`: an ordinary one. The other two are lines that Linux prints without a description. */
  readonly type: 'area' | 'vm_map_ram' | 'unpurged';
  /** First byte; `null` when it is hidden from the reader. */
  readonly start: bigint | null;
  /** The byte after the last one, the guard included; `null` when it is hidden. */
  readonly end: bigint | null;
  /** Size in bytes as Linux counts it, the guard included. */
  readonly bytes: bigint;
  /** What the line says of the area. */
  readonly info: AreaInfo;
  /**
   * The line as it was read, without its newline. `formatVmallocinfo` prints it while it says what the other
   * members say. Leave it out for the form of Linux 6.12.
   */
  readonly text?: string | undefined;
}

/** A line of /proc/vmallocinfo, parsed. */
export interface ParsedVmallocinfoLine extends VmallocinfoLine {
  /** Its number in the text, from 1. */
  readonly line: number;
  /** Words that this parser does not know, in order. Other kernel versions print others. */
  readonly unknown: readonly string[];
  /** The line as it was read. It ends in CR when the text has CR LF. */
  readonly text: string;
}

/** A line that is none of /proc/vmallocinfo. */
export interface BadVmallocinfoLine {
  /** Its number in the text, from 1. */
  readonly line: number;
  /** Where it is wrong: the column, from 1. */
  readonly column: number;
  /** The beginning of the line, at most 60 characters, as it was read. */
  readonly text: string;
  /** Name, line, column, what was expected, what was found, and what the line looks like. */
  readonly message: string;
}

/**
 * Words in the order in which Linux prints them.
 *
 * @internal
 */
export const AREA_WORDS: readonly AreaWord[] = [
  'ioremap',
  'sparse',
  'vmalloc',
  'vmap',
  'user',
  'dma-coherent',
];
