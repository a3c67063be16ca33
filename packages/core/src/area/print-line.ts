import { isArray, shown, VmError } from '../errors.js';
import { checkCaller } from './caller.js';
import { AREA_WORDS, type VmallocinfoLine } from './vmallocinfo-line.js';

/**
 * A line in the form of Linux 6.12. Every member is read once, and checked.
 *
 * @param i - its index, for messages.
 * @throws VmError `EINVAL` for a line that /proc/vmallocinfo cannot have.
 */
export function linux612({ type, start, end, bytes, info }: VmallocinfoLine, i: number): string {
  const size = checkedBigint(bytes, i, 'bytes').toString().padStart(7);
  const place = `0x${hex16(start, i, 'start')}-0x${hex16(end, i, 'end')} ${size}`;
  if (type === 'vm_map_ram') return `${place} vm_map_ram`;
  if (type === 'unpurged') return `${place} unpurged vm_area`;
  if (type !== 'area') throw wrong(i, 'type', type, 'area, vm_map_ram or unpurged');
  if (typeof info !== 'object' || info === null) throw wrong(i, 'info', info, 'an object');
  const { caller, pages = 0, phys = 0n, words = [], vpages, nodes = [] } = info;
  if (caller !== undefined) checkCaller(caller);
  if (isArray(words) !== true) throw wrong(i, 'info.words', words, 'an array');
  if (isArray(nodes) !== true) throw wrong(i, 'info.nodes', nodes, 'an array');
  // One text that grows: a list of its parts, spread and joined, took half of the time.
  let line = caller === undefined ? place : `${place} ${caller}`;
  if (checkedCount(pages, i, 'info.pages') !== 0) line += ` pages=${pages}`;
  if (phys !== 0n) line += ` phys=0x${hex16(phys, i, 'info.phys')}`;
  if (words.length > 0) for (const word of AREA_WORDS) if (words.includes(word)) line += ` ${word}`;
  if (vpages === true) line += ' vpages';
  return nodes.length === 0 ? line : [line, ...nodes.map((one) => nodeOf(one, i))].join(' ');
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

/** The refusal of a member of a line. */
export function wrong(i: number, name: string, value: unknown, expected: string): VmError {
  return new VmError('EINVAL', `${name} of line ${i} is ${shown(value)}, expected ${expected}`);
}
