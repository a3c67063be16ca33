import { SeededRandom } from '@vmarea/conformance';
import { hex, listLeaves, VmError } from '@vmarea/core';
import { findProcesses, findRoots, type Image, openImage, type Source } from '../../src/index.js';
import { formats } from '../support/dumps.js';

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

/** Reads of a source that one file may cost. A file that loops takes more. */
const MOST_READS = 100_000;
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

/** Opens and reads changed files. Anything but a `VmError` is thrown, with the seed and number of the file. */
export function fuzz(base: FuzzBase, files: number, seed: number): FuzzReport {
  const report = { files, refused: 0, opened: 0, errors: 0, believed: 0, mostReads: 0, mostBytes: 0 };
  const random = new SeededRandom(seed);
  for (let i = 0; i < files; i++) {
    const changed = mutated(base, random);
    try {
      readAll(changed, base, report, random);
    } catch (error) {
      throw new Error(`${base.name}, seed ${seed}, file ${i}`, { cause: error });
    }
  }
  return report;
}

function readAll(file: Uint8Array, { map }: FuzzBase, report: FuzzReport, random: SeededRandom): void {
  const source = counting(file);
  let image: Image;
  try {
    image = openImage(source, map === undefined ? {} : { map });
    report.opened++;
  } catch (error) {
    refusedOnly(error);
    report.refused++;
    note(report, source);
    return;
  }
  attempt(report, () => lookAround(image, random));
  // Roots take most of the time.
  if (random.oneIn(4)) attempt(report, () => lookForRoots(image, report, random));
  note(report, source);
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

interface CountingSource extends Source {
  reads: number;
  most: number;
}

function counting(file: Uint8Array): CountingSource {
  return {
    ...{ size: file.length, reads: 0, most: 0 },
    read(offset, length) {
      if (++this.reads > MOST_READS) throw new Error(`more than ${MOST_READS} reads`);
      if (offset < 0 || length < 1 || offset + length > file.length)
        throw new Error(`a read of ${length} bytes at ${offset}, and the file has ${file.length}`);
      this.most = Math.max(this.most, length);
      return file.slice(offset, offset + length);
    },
  };
}

function note(report: FuzzReport, { reads, most }: CountingSource): void {
  report.mostReads = Math.max(report.mostReads, reads);
  report.mostBytes = Math.max(report.mostBytes, most);
}

/** A copy with some changes: bits, bytes, integers, cuts, parts that are missing or twice. */
function mutated({ file, head }: FuzzBase, random: SeededRandom): Uint8Array {
  let changed: Uint8Array = file.slice();
  const place = (): number => random.below(random.oneIn(3) ? changed.length : Math.min(head, changed.length));
  for (let i = 1 + random.below(4); i > 0 && changed.length > 0; i--) {
    const at = place();
    const view = new DataView(changed.buffer);
    const aligned = at - (at % 4);
    const value = VALUES[random.below(VALUES.length)] as bigint;
    const kind = random.below(16);
    if (kind < 5) changed[at] = (changed[at] as number) ^ (1 << random.below(8));
    else if (kind < 7) changed[at] = random.below(256);
    else if (kind < 10 && aligned + 4 <= changed.length)
      view.setUint32(aligned, Number(value & 0xffffffffn), !random.oneIn(4));
    else if (kind < 13 && aligned + 8 <= changed.length) view.setBigUint64(aligned, value, !random.oneIn(4));
    else if (kind === 13) changed = changed.slice(0, at);
    else if (kind === 14) changed = joined(changed.subarray(0, at), changed.subarray(at + random.below(64)));
    else if (kind === 15)
      changed = joined(
        changed.subarray(0, at),
        file.subarray(at, at + random.below(64)),
        changed.subarray(at),
      );
  }
  return changed;
}

function joined(...parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
