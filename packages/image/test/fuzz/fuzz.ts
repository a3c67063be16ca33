import { SeededRandom } from '@vmarea/conformance';
import { hex, listLeaves, VmError } from '@vmarea/core';
import { findProcesses, findRoots, type Image, openImage } from '../../src/index.js';
import { formats } from '../support/dumps.js';
import { ChangedFile } from './changed-file.js';

/** A file that is changed: how it is called, and how it is opened. */
export interface FuzzBase {
  readonly name: string;
  readonly file: Uint8Array;
  readonly map?: readonly { readonly address: bigint }[];
  /** Bytes at its beginning in which most changes are: headers. */
  readonly head: number;
}

/** What came of some changed files. */
export interface FuzzReport {
  readonly files: number;
  /** Files that were refused when opened, and those that were opened. */
  refused: number;
  opened: number;
  /** Errors of reads and walks in those that were opened. */
  errors: number;
  /** Opened files in which a root was believed. */
  believed: number;
  /** Most reads of the source for one file, and most bytes that one of them asked for. */
  mostReads: number;
  mostBytes: number;
}

/** Items of a listing that are taken. */
const MOST_ITEMS = 2_000;
/** Values that break arithmetic. */
const VALUES = [
  0n,
  1n,
  0x7fn,
  0xffn,
  0xffffn,
  0x1000n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  1n << 40n,
  1n << 52n,
  (1n << 63n) - 1n,
  1n << 63n,
  (1n << 64n) - 1n,
];

/**
 * Opens and reads changed files. Anything but a `VmError` is thrown, with the seed and number of the file.
 *
 * Most files give some errors, and their stacks would take a fifth of the time. So there are none, until an error is to be thrown:
 * then all is done again with stacks.
 */
export function fuzz(base: FuzzBase, files: number, seed: number): FuzzReport {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return fuzzAll(base, files, seed);
  } catch {
    Error.stackTraceLimit = Math.max(before, 10);
    return fuzzAll(base, files, seed);
  } finally {
    Error.stackTraceLimit = before;
  }
}

function fuzzAll(base: FuzzBase, files: number, seed: number): FuzzReport {
  const report = { files, refused: 0, opened: 0, errors: 0, believed: 0, mostReads: 0, mostBytes: 0 };
  const random = new SeededRandom(seed);
  const file = new ChangedFile(base.file);
  for (let i = 0; i < files; i++) {
    change(file, base.head, random);
    try {
      readAll(file, base, report, random);
    } catch (error) {
      throw new Error(`${base.name}, seed ${seed}, file ${i}`, { cause: error });
    }
    report.mostReads = Math.max(report.mostReads, file.reads);
    report.mostBytes = Math.max(report.mostBytes, file.most);
    file.restore();
  }
  return report;
}

function readAll(file: ChangedFile, { map }: FuzzBase, report: FuzzReport, random: SeededRandom): void {
  let image: Image;
  try {
    image = openImage(file, map === undefined ? {} : { map });
    report.opened++;
  } catch (error) {
    refusedOnly(error);
    report.refused++;
    return;
  }
  attempt(report, () => lookAround(image, random));
  // Roots take most of the time, and most changes are in headers: there is little that a root of the next file would show.
  if (random.oneIn(16)) attempt(report, () => lookForRoots(image, report, random));
}

function lookForRoots(image: Image, report: FuzzReport, random: SeededRandom): void {
  const { best } = findRoots(image, { formats, scan: random.oneIn(8) ? 'needed' : 'never' });
  if (best?.table === null || best === null) return;
  report.believed++;
  let items = 0;
  for (const item of listLeaves(best.table)) if (++items > MOST_ITEMS || item.va < 0n) break;
  if (random.oneIn(16)) findProcesses(image, best);
}

/** Reads here and there: at both ends of ranges, and anywhere. */
function lookAround(image: Image, random: SeededRandom): void {
  let ranges = 0;
  for (const { address, bytes } of image.ranges()) {
    if (++ranges > 16) break;
    if (!random.oneIn(3)) continue;
    for (const pa of [address, address + bytes - 1n, address + bytes, address + (bytes >> 1n)])
      look(image, pa);
  }
  for (let i = 0; i < 8; i++) look(image, BigInt(random.below(2 ** 32)) << BigInt(random.below(20)));
  String(image);
}

function look(image: Image, pa: bigint): void {
  const state = image.stateOf(pa);
  const why = image.whyNot(pa);
  const page = (pa >> 12n) << 12n;
  let isThere = true;
  try {
    image.memory.bytesAt(pa, 1);
    image.memory.locate(Number(page >> 12n));
  } catch (error) {
    refusedOnly(error);
    isThere = false;
  }
  // What it says of an address, and what a read gives, are the same.
  if (isThere !== (state === 'present' || state === 'zero'))
    throw new Error(`${hex(pa)} is ${state} (${why}), but a read ${isThere ? 'works' : 'fails'}`);
}

function attempt(report: FuzzReport, call: () => void): void {
  try {
    call();
  } catch (error) {
    refusedOnly(error);
    report.errors++;
  }
}

function refusedOnly(error: unknown): void {
  if (!(error instanceof VmError)) throw error;
}

/** Makes some changes: bits, bytes, integers, a cut, parts that are missing or twice. */
function change(file: ChangedFile, head: number, random: SeededRandom): void {
  const place = (): number => random.below(random.oneIn(3) ? file.size : Math.min(head, file.size));
  for (let i = 1 + random.below(4); i > 0 && file.size > 0; i--) {
    const at = place();
    const aligned = at - (at % 4);
    const value = VALUES[random.below(VALUES.length)] as bigint;
    const kind = random.below(16);
    if (kind < 5) file.write(at, [file.byteAt(at) ^ (1 << random.below(8))]);
    else if (kind < 7) file.write(at, [random.below(256)]);
    else if (kind < 10 && aligned + 4 <= file.size)
      file.write(aligned, bytesOf(value & 0xffffffffn, 4, !random.oneIn(4)));
    else if (kind < 13 && aligned + 8 <= file.size) file.write(aligned, bytesOf(value, 8, !random.oneIn(4)));
    else if (kind === 13) file.cut(at);
    else if (kind === 14) file.drop(at, random.below(64));
    else if (kind === 15) file.repeat(at, random.below(64));
  }
}

function bytesOf(value: bigint, count: number, isLittle: boolean): number[] {
  const bytes = Array.from({ length: count }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
  return isLittle ? bytes : bytes.reverse();
}
