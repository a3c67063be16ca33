import type { ByteReader } from '../elf/byte-reader.js';
import { shownSection } from '../elf/shown-section.js';
import type { BtfTexts } from './texts.js';

/** Where an instruction comes from. */
export interface SourceLine {
  /** A name of more than 500 bytes is cut, and ends with `…`. */
  readonly file: string;
  /** From 1 on. */
  readonly line: number;
  readonly column: number;
  /** The line's text. One of more than 500 bytes is cut, and ends with `…`. */
  readonly text: string;
}

/** The lines of one section: the first instruction of each, in ascending order, and what `.BTF.ext` has of it. */
export interface LineTable {
  readonly section: string;
  /** Four words a line: instruction from the start of the section, offsets of the file's name and of the text, line and column. */
  readonly words: Uint32Array;
}

const MAGIC = 0xeb9f;
const WORDS = 4;
/** Bytes of a line or a file's name that are shown. */
const LONGEST_SHOWN = 500;
const INSTRUCTION_BYTES = 8;

/**
 * Reads the line tables of a `.BTF.ext` section. Layout: Linux's Documentation/bpf/btf.rst, and include/uapi/linux/bpf.h for
 * `bpf_line_info`.
 *
 * @throws VmError `EINVAL` for a section that is none, and for a line whose texts are not in the table.
 */
export function readLines(reader: ByteReader, texts: BtfTexts): LineTable[] {
  if (reader.u16(0) !== MAGIC) throw reader.refuse(0, 'expected the magic number 0xeb9f of BTF');
  const header = reader.u32(4);
  const from = header + reader.u32(16);
  const length = reader.u32(20);
  if (length === 0) return [];
  reader.bytes(from, length);
  const bytes = reader.u32(from);
  if (bytes < WORDS * 4 || bytes % 4 !== 0)
    throw reader.refuse(from, `a line has ${bytes} bytes, expected 16`);
  const tables: LineTable[] = [];
  const end = from + length;
  let at = from + 4;
  while (at < end) {
    const section = texts.at(reader.u32(at));
    const count = reader.u32(at + 4);
    if (at + 8 + count * bytes > end) throw reader.refuse(at + 4, `${count} lines are more than there are`);
    const words = new Uint32Array(count * WORDS);
    for (let i = 0; i < count; i++) {
      const line = at + 8 + i * bytes;
      const offset = reader.u32(line);
      if (offset % INSTRUCTION_BYTES !== 0) throw reader.refuse(line, `${offset} is within an instruction`);
      words[i * WORDS] = offset / INSTRUCTION_BYTES;
      for (let word = 1; word < WORDS; word++) words[i * WORDS + word] = reader.u32(line + word * 4);
      for (let word = 1; word <= 2; word++) {
        const text = words[i * WORDS + word] as number;
        if (!texts.has(text)) throw reader.refuse(line + word * 4, `there is no text ${text}`);
      }
      if (i > 0 && (words[i * WORDS] as number) <= (words[(i - 1) * WORDS] as number)) {
        throw reader.refuse(line, `the lines of ${shownSection(section)} are not in ascending order`);
      }
    }
    tables.push({ section, words });
    at += 8 + count * bytes;
  }
  return tables;
}

/**
 * The line of an instruction.
 *
 * @param instruction - counted from the start of the section.
 * @returns `null` when no line begins at it or before it.
 */
export function lineOf(table: LineTable, instruction: number, texts: BtfTexts): SourceLine | null {
  const { words } = table;
  let [low, high] = [0, words.length / WORDS];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((words[middle * WORDS] as number) <= instruction) low = middle + 1;
    else high = middle;
  }
  if (low === 0) return null;
  const at = (low - 1) * WORDS;
  const place = words[at + 3] as number;
  return {
    file: texts.shown(words[at + 1] as number, LONGEST_SHOWN),
    // The upper 22 bits are the line, the lower 10 the column.
    line: place >>> 10,
    column: place & 1023,
    text: texts.shown(words[at + 2] as number, LONGEST_SHOWN),
  };
}
