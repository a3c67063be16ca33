import { copyList } from '../check/list.js';
import { shown, VmError } from '../errors.js';
import { checkCaller } from './caller.js';
import { LineFault, parseLine } from './parse-line.js';
import { AREA_WORDS, type VmallocinfoLine } from './vmallocinfo-line.js';

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

/** The line in the form of Linux 6.12. Every member is read once, and checked. */
function linux612({ type, start, end, bytes, info }: VmallocinfoLine, i: number): string {
  const size = checkedBigint(bytes, i, 'bytes').toString().padStart(7);
  const place = `0x${hex16(start, i, 'start')}-0x${hex16(end, i, 'end')} ${size}`;
  if (type === 'vm_map_ram') return `${place} vm_map_ram`;
  if (type === 'unpurged') return `${place} unpurged vm_area`;
  if (type !== 'area') throw wrong(i, 'type', type, 'area, vm_map_ram or unpurged');
  if (typeof info !== 'object' || info === null) throw wrong(i, 'info', info, 'an object');
  const { caller, pages = 0, phys = 0n, words = [], vpages, nodes = [] } = info;
  if (caller !== undefined) checkCaller(caller);
  if (!Array.isArray(words)) throw wrong(i, 'info.words', words, 'an array');
  if (!Array.isArray(nodes)) throw wrong(i, 'info.nodes', nodes, 'an array');
  const parts = [
    place,
    ...(caller === undefined ? [] : [caller]),
    ...(checkedCount(pages, i, 'info.pages') === 0 ? [] : [`pages=${pages}`]),
    ...(phys === 0n ? [] : [`phys=0x${hex16(phys, i, 'info.phys')}`]),
    ...AREA_WORDS.filter((word) => words.includes(word)),
    ...(vpages === true ? ['vpages'] : []),
    ...nodes.map((one) => nodeOf(one, i)),
  ];
  return parts.join(' ');
}

function nodeOf(one: { node: number; pages: number }, i: number): string {
  if (typeof one !== 'object' || one === null) throw wrong(i, 'info.nodes', one, 'objects');
  const { node, pages } = one;
  return `N${checkedCount(node, i, 'node')}=${checkedCount(pages, i, 'pages of a node')}`;
}

function hex16(value: bigint | null, i: number, name: string): string {
  const address = value === null ? 0n : checkedBigint(value, i, name);
  return address.toString(16).padStart(16, '0');
}

function checkedBigint(value: bigint, i: number, name: string): bigint {
  // The end of the last page of the address space is 2^64.
  if (typeof value !== 'bigint' || value < 0n || value > 1n << 64n)
    throw wrong(i, name, value, 'a bigint from 0 to 2^64');
  return value;
}

function checkedCount(value: number, i: number, name: string): number {
  if (!Number.isSafeInteger(value) || value < 0) throw wrong(i, name, value, 'an integer of 0 or more');
  return value;
}

function wrong(i: number, name: string, value: unknown, expected: string): VmError {
  return new VmError('EINVAL', `${name} of line ${i} is ${shown(value)}, expected ${expected}`);
}
