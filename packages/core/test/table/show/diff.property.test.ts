import type { Difference, PageTableFormat, Protection } from '@vmarea/core';
import { diffTables, hex, protection } from '@vmarea/core';
import { machine, walkBytes } from '@vmarea/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formats } from '../../formats/index.js';

/*
 * Two tables of any two formats against two plain Maps from 4K pages to physical address and protection, which the test fills
 * from its own calls. Addresses are chosen where both formats translate, at level boundaries and at the ends of ranges.
 */

/** VMAREA_RUNS multiplies the number of runs. */
const RUNS = Number(process.env.VMAREA_RUNS ?? 1);

const STEP = 4096n;
const TOP = 1n << 64n;

interface Mapped {
  pa: bigint;
  protection: Protection;
}

type Model = Map<bigint, Mapped>;

interface Call {
  /** Who maps it, and what the other table does differently when both do. */
  kind: 'here' | 'there' | 'both' | 'both but frames' | 'both but protection';
  place: number;
  /** In pages of 64K from the place, so that both formats can map it. */
  offset: number;
  pages: number;
  /** What is added to a frame that follows from the address, so that neighbours are often adjacent. */
  frame: number;
  protection: number;
  /** Which side may use blocks. */
  large: 'here' | 'there';
}

const calls = fc.array(
  fc.record<Call>({
    kind: fc.constantFrom('here', 'there', 'both', 'both but frames', 'both but protection'),
    place: fc.nat(5),
    offset: fc.integer({ min: -5, max: 12 }),
    pages: fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 1, max: 3 }) }, fc.constantFrom(32, 64, 512)),
    frame: fc.constantFrom(0, 0, 0, 1, 512),
    protection: fc.nat(5),
    large: fc.constantFrom('here', 'there'),
  }),
  { minLength: 4, maxLength: 24, size: 'max' },
);

/** A bit of `extra` that every format of a family has for software. */
function softwareBit({ name }: PageTableFormat): bigint {
  return name.startsWith('arm64') ? 1n << 55n : 1n << 9n;
}

function protectionsOf(format: PageTableFormat): Protection[] {
  const data = protection({ write: true, global: true });
  return [
    data,
    { ...data, dirty: false },
    { ...data, accessed: false },
    { ...data, extra: softwareBit(format) },
    protection({ execute: true }),
    protection({ user: true, memory: 'device' }),
  ];
}

/** The addresses that a format translates, as ranges without their ends. */
function spans({ range: { bits, upper } }: PageTableFormat): [bigint, bigint][] {
  const size = 1n << BigInt(upper === 'sign' ? bits - 1 : bits);
  const halves: [bigint, bigint][] = [
    [0n, size],
    [TOP - size, TOP],
  ];
  return halves.filter((_, i) => upper === 'sign' || (i === 1) === (upper === 'ones'));
}

function isIn(format: PageTableFormat, va: bigint, bytes: bigint): boolean {
  return spans(format).some(([start, end]) => va >= start && va + bytes <= end);
}

function later(a: bigint, b: bigint): bigint {
  const isLater = a > b;
  return isLater ? a : b;
}

/** Boundaries in what both formats translate; where they share nothing, in what the first translates. */
function placesOf(here: PageTableFormat, there: PageTableFormat): bigint[] {
  const shared = spans(here).flatMap(([start, end]) =>
    spans(there)
      .filter(([from, to]) => from < end && start < to)
      .map(([from, to]) => [later(start, from), -later(-end, -to)] as const),
  );
  const [first, last] = [shared[0] ?? spans(here)[0], shared.at(-1) ?? spans(there)[0]] as [bigint, bigint][];
  if (first === undefined || last === undefined) throw new Error('a format translates nothing');
  return [first[0], last[1], first[0] + (2n << 20n), last[1] - (32n << 20n), last[0], last[0] + (1n << 30n)];
}

interface Sameness {
  touched: boolean;
  extra: boolean;
}

const keys = new WeakMap<Protection, Map<string, string>>();

/** The members of a protection that are compared, as text. */
function key(found: Protection, { touched, extra }: Sameness): string {
  const known = keys.get(found) ?? new Map<string, string>();
  keys.set(found, known);
  const counted = `${touched} ${extra}`;
  const text =
    known.get(counted) ??
    Object.entries(found)
      .filter(([member]) => touched || (member !== 'accessed' && member !== 'dirty'))
      .filter(([member]) => extra || member !== 'extra')
      .map(([member, value]) => `${member} ${value}`)
      .sort()
      .join();
  known.set(counted, text);
  return text;
}

/** What one 4K page is, by the two Maps. */
function expectedKind(a: Mapped | undefined, b: Mapped | undefined, same: Sameness): string {
  if (a === undefined || b === undefined)
    return a === b ? 'same' : b === undefined ? 'only-here' : 'only-there';
  if (a.pa !== b.pa) return 'moved';
  return key(a.protection, same) === key(b.protection, same) ? 'same' : 'protection';
}

function fill(
  format: PageTableFormat,
  list: readonly Call[],
  side: 'here' | 'there',
  places: readonly bigint[],
) {
  const { table, memory } = machine(format, 256);
  const model: Model = new Map();
  for (const { kind, place, offset, pages, frame, protection: index, large } of list) {
    if (kind !== side && !kind.startsWith('both')) continue;
    const isOther = side === 'there';
    const va = (places[place] as bigint) + BigInt(offset) * 0x10000n;
    const bytes = BigInt(pages) * 0x10000n;
    const moved = frame + (isOther && kind === 'both but frames' ? 1 : 0);
    const pa = (1n << 32n) + BigInt(moved) * 0x10000n + (va % (1n << 31n));
    const given = protectionsOf(format)[
      (index + (isOther && kind === 'both but protection' ? 1 : 0)) % 6
    ] as Protection;
    if (!isIn(format, va, bytes)) continue;
    let isFree = true;
    for (let at = va; at < va + bytes; at += STEP) if (model.has(at)) isFree = false;
    if (!isFree) continue;
    table.mapRange(va, pa, bytes, given, { maxLeafShift: large === side ? 64 : format.pageShift });
    for (let at = 0n; at < bytes; at += STEP) model.set(va + at, { pa: pa + at, protection: given });
  }
  return { table, memory, format, model };
}

function check(
  here: PageTableFormat,
  there: PageTableFormat,
  list: readonly Call[],
  touched: boolean,
  extra: boolean | undefined,
  limit: { place: number; offset: number; pages: number } | null,
): void {
  const places = placesOf(here, there);
  const a = fill(here, list, 'here', places);
  const b = fill(there, list, 'there', places);
  const same = { touched, extra: extra ?? here.name === there.name };
  let start = 0n;
  let end = TOP;
  const options = { touched, ...(extra === undefined ? {} : { extra }) };
  if (limit !== null) {
    const page = 1n << BigInt(Math.min(here.pageShift, there.pageShift));
    const va = (places[limit.place] as bigint) + BigInt(limit.offset) * page;
    const bytes = BigInt(limit.pages) * page;
    // At least one of the two must be able to map the range.
    const isAligned = ({ pageShift }: PageTableFormat) =>
      ((va | bytes) & ((1n << BigInt(pageShift)) - 1n)) === 0n;
    if (![here, there].some((format) => isIn(format, va, bytes) && isAligned(format))) return;
    start = va;
    end = va + bytes;
    Object.assign(options, { va, bytes });
  }
  const found = [...diffTables(a.table, b.table, options)];

  // Each 4K page of each difference is what the Maps say, and no page is missing.
  const left = new Set([...a.model.keys(), ...b.model.keys()]);
  let last = -1n;
  for (const difference of found) {
    const { kind, va, bytes } = difference;
    expect(va > last && va >= start && va + bytes <= end && bytes > 0n, hex(va)).toBe(true);
    last = va + bytes - 1n;
    for (let at = 0n; at < bytes; at += STEP) {
      const mine = a.model.get(va + at);
      const theirs = b.model.get(va + at);
      const got = `${kind} ${sideAt(difference.here, at, touched)} ${sideAt(difference.there, at, touched)}`;
      const wanted = `${expectedKind(mine, theirs, same)} ${sideAt(mine, 0n, touched)} ${sideAt(theirs, 0n, touched)}`;
      // `expect` at every page would take most of the time.
      if (got !== wanted) expect(got, hex(va + at)).toBe(wanted);
      left.delete(va + at);
    }
    for (const [side, { table, format, memory }] of [
      [difference.here, a],
      [difference.there, b],
    ] as const) {
      if (side === null) continue;
      const page = va - (va & ((1n << BigInt(format.pageShift)) - 1n));
      const leaf = walkBytes(format, memory, table.root, page);
      expect(side.leafShift).toBe(format.levels[leaf?.level ?? -1]?.shift);
    }
  }
  for (const va of left) {
    if (va < start || va >= end) continue;
    const kind = expectedKind(a.model.get(va), b.model.get(va), same);
    if (kind !== 'same') expect(`${hex(va)}: ${kind}`).toBe(`${hex(va)}: same`);
  }
  // No two neighbours could be one difference.
  found.forEach((difference, i) => {
    const next = found[i + 1];
    if (next === undefined || difference.va + difference.bytes !== next.va) return;
    const mark = ({ kind, here, there }: Difference, at: bigint) =>
      `${kind} ${sideAt(here, at, touched)} ${sideAt(there, at, touched)}`;
    expect(mark(difference, difference.bytes)).not.toBe(mark(next, 0n));
  });
}

function sideAt(side: Mapped | null | undefined, at: bigint, touched: boolean): string {
  return side ? `${hex(side.pa + at)} ${key(side.protection, { touched, extra: true })}` : 'nothing';
}

const anyFormat = fc.constantFrom(...formats);
/** A little above and below where something may be mapped; pages of the smaller size. */
const limits = fc.option(
  fc.record({
    place: fc.nat(5),
    offset: fc.integer({ min: -20, max: 60 }),
    pages: fc.integer({ min: 1, max: 600 }),
  }),
);

describe('diffTables finds the differences of two plain Maps', () => {
  const extra = fc.constantFrom(undefined, undefined, true, false);

  test('for tables of two formats', () => {
    fc.assert(fc.property(anyFormat, anyFormat, calls, fc.boolean(), extra, limits, check), {
      numRuns: 60 * RUNS,
      seed: 20261122,
    });
  });

  test('for tables of one format', () => {
    fc.assert(
      fc.property(anyFormat, calls, fc.boolean(), extra, limits, (format, ...rest) =>
        check(format, format, ...rest),
      ),
      { numRuns: 40 * RUNS, seed: 20261123 },
    );
  });
});
