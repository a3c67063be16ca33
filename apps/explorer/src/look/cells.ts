import { classify, type EntryKind, type Level, type PageTableFormat, type Words, words } from '@vmarea/core';
import { rightsSoFar } from '@vmarea/inspect';
import { type CellKind, KINDS, MARKS } from './calls.js';

const NUMBERS = new Map(KINDS.map((kind, number) => [kind, number]));

/** The number of a kind. */
function numberOf(kind: CellKind): number {
  return NUMBERS.get(kind) as number;
}

/** What a table shows of itself: a kind and marks for each entry. */
export interface Cells {
  readonly kinds: Uint8Array;
  readonly marks: Uint8Array;
}

/**
 * Says what each entry of a table is, and what is allowed through it.
 *
 * @param path - the entries above the table, root first.
 * @param controls - processor modes, all of them.
 * @param hasBytes - whether the memory has the table that an entry points to.
 */
export function cellsOf(
  format: PageTableFormat,
  path: readonly Words[],
  entries: BigUint64Array,
  controls: object,
  hasBytes: (entry: bigint) => boolean,
): Cells {
  const level = path.length;
  const shape = format.levels[level] as Level;
  const kinds = new Uint8Array(entries.length);
  const marks = new Uint8Array(entries.length);
  const address = addressMask(format);
  const known = new Map<bigint, number>();
  for (const [i, entry] of entries.entries()) {
    if (entry === 0n) continue;
    const bits = words(entry);
    const kind = classify(format.present, shape, bits);
    kinds[i] = numberOf(kind === 'table' && !hasBytes(entry) ? 'missing' : kind);
    if (kind !== 'table' && kind !== 'leaf') continue;
    const flags = entry & ~address;
    let sum = known.get(flags);
    if (sum === undefined) {
      sum = marksOf(format, path, bits, kind, controls);
      known.set(flags, sum);
    }
    marks[i] = sum;
  }
  return { kinds, marks };
}

/** The entry bits that hold the address. */
function addressMask(format: PageTableFormat): bigint {
  return format.address.reduce(
    (all, { entryBit, width }) => all | (((1n << BigInt(width)) - 1n) << BigInt(entryBit)),
    0n,
  );
}

function marksOf(
  format: PageTableFormat,
  path: readonly Words[],
  entry: Words,
  kind: EntryKind,
  controls: object,
): number {
  const level = path.length;
  const rights = rightsSoFar(format, [...path, entry], kind, controls);
  if (rights === null) return 0;
  const isLeaf = kind === 'leaf';
  const leaf = isLeaf ? format.decode(entry, level) : null;
  const { user } = rights;
  const isUser = leaf === null ? user.read || user.write || user.execute : leaf.user;
  const { read, write, execute } = isUser ? user : rights.kernel;
  const run = format.levels[level]?.run ?? null;
  const inRun =
    isLeaf &&
    run !== null &&
    (entry.lo & run.set.lo) === run.set.lo &&
    (entry.hi & run.set.hi) === run.set.hi;
  const all: readonly [boolean, number][] = [
    [read, MARKS.read],
    [write, MARKS.write],
    [execute, MARKS.execute],
    [isUser, MARKS.user],
    [leaf?.accessed === true, MARKS.accessed],
    [leaf?.dirty === true, MARKS.dirty],
    [leaf?.global === true, MARKS.global],
    [inRun, MARKS.inRun],
  ];
  return all.reduce((sum, [isSet, bit]) => sum + (isSet ? bit : 0), 0);
}
