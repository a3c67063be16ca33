import { copyList } from '../check/list.js';
import { LineFault, parseLine } from './parse-line.js';
import { linux612, wrong } from './print-line.js';
import type { VmallocinfoLine } from './vmallocinfo-line.js';

/**
 * The text of /proc/vmallocinfo.
 *
 * A line with `text` that says what its other members say is printed as it was read: `phys=` with 0x or
 * without, hashed addresses, `(____ptrval____)`, unknown words and spaces. So what `parseVmallocinfo` read
 * comes back byte for byte, without empty lines, and with a newline at the end. Every other line is in the
 * form of Linux 6.12. Its hidden addresses are zeros, as Linux shows them to unprivileged readers.
 *
 * Source: Linux 6.12, `mm/vmalloc.c`, vmalloc_info_show and show_purge_info.
 *
 * @param lines - from `parseVmallocinfo`, or your own.
 * @throws VmError `EINVAL` for a line that /proc/vmallocinfo cannot have: a caller with spaces or a newline,
 *   an address or a number of the wrong type.
 */
export function formatVmallocinfo(lines: readonly VmallocinfoLine[]): string {
  const copy = copyList(lines, 'lines', (line) => typeof line === 'object' && line !== null);
  return copy.map((line, i) => `${lineOf(line, i)}\n`).join('');
}

function lineOf(line: VmallocinfoLine, i: number): string {
  const { text } = line;
  const own = linux612(line, i);
  if (text === undefined || text === own) return own;
  if (typeof text !== 'string') throw wrong(i, 'text', text, 'the line as it was read');
  return saysTheSame(text, own, i) ? text : own;
}

/** True when a text is one line, and says what the members of its line say. */
function saysTheSame(text: string, own: string, i: number): boolean {
  if (text.includes('\n')) return false;
  try {
    return linux612(parseLine(text, 1), i) === own;
  } catch (error) {
    if (error instanceof LineFault) return false;
    throw error;
  }
}
