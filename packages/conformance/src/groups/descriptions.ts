import {
  describeEntry,
  type EntryDescription,
  type EntryField,
  hex,
  type PageTableFormat,
  type Protection,
  type Shape,
  toBigint,
  words,
} from '@vmarea/core';
import { ensure, same } from '../assert.js';
import type { Case, Group } from '../case.js';
import { combinations, encoded } from '../members.js';
import { addressBits, addressOf, kindOf } from '../tools/entries.js';
import { SeededRandom } from '../tools/seeded-random.js';

/** The names of an entry's bits: all of them, once, and what they say is what the format does. */
export const descriptions: Group = {
  name: 'descriptions',
  cases({ format }, { seed }) {
    const cases: Case[] = [];
    for (const [level, { name, table, leaf, run }] of format.levels.entries()) {
      const at = `level=${name}`;
      const random = () => new SeededRandom(seed);
      cases.push({ id: `whole:${at}`, run: () => whole(format, level, random()) });
      if (table !== null)
        cases.push({ id: `table:${at}`, run: () => addresses(format, level, tablesOf(format), random()) });
      if (leaf === null) continue;
      const leaves = () => leavesOf(format, level);
      cases.push({ id: `leaf:${at}`, run: () => addresses(format, level, leaves(), random()) });
      cases.push({ id: `tells:${at}`, run: () => tells(format, level, leaves()) });
      if (run !== null)
        cases.push({
          id: `run:${at}`,
          run: () => addresses(format, level, marked(format, level, leaves()), random()),
        });
    }
    return cases;
  },
};

/** Bits without a name that the manual gives. */
const UNNAMED = ['ignored', 'reserved'];
/** What a protection says besides `extra`. */
const MEMBERS = [
  ...(['read', 'write', 'execute', 'user', 'global', 'memory'] as const),
  ...(['accessed', 'dirty', 'extra'] as const),
];

/** The fields of an entry, checked by themselves: 64 bits, each in one field, with its value. */
function checked(format: PageTableFormat, entry: bigint, level: number): EntryDescription {
  const description = describeEntry(format, entry, level);
  let next = 0;
  let value = 0n;
  for (const field of description.fields) {
    same(field.low, next, `the lowest bit of the field ${field.name} of ${hex(entry)}`);
    ensure(field.width >= 1, `the field ${field.name} of ${hex(entry)} has no bits`);
    ensure(
      field.name !== '' && field.meaning !== '',
      `bit ${field.low} of ${hex(entry)} has no name or meaning`,
    );
    value |= field.value << BigInt(field.low);
    next += field.width;
  }
  same(next, 64, `bits in the fields of ${hex(entry)}`);
  same(value, entry, 'the values of the fields');
  const kind = kindOf(format, level, entry);
  same(description.kind, kind === 'address-size' ? 'reserved' : kind, `the kind of ${hex(entry)}`);
  return description;
}

/** Every kind of entry, also those that are none: each bit by itself, with the bits that make it present, and any bits. */
function whole(format: PageTableFormat, level: number, random: SeededRandom): void {
  const { table, leaf } = format.levels[level] as (typeof format.levels)[number];
  const matches = [0n, toBigint(format.present.value)];
  for (const shape of [table, leaf]) if (shape !== null) matches.push(toBigint(shape.match.value));
  for (const base of matches) {
    checked(format, base, level);
    for (let bit = 0n; bit < 64n; bit++) checked(format, base ^ (1n << bit), level);
  }
  for (let i = 0; i < 200; i++) checked(format, word(random), level);
  for (const shape of [table, leaf]) if (shape !== null) decided(format, level, shape);
}

/** The bits that decide the kind of an entry have names. */
function decided(format: PageTableFormat, level: number, shape: Shape): void {
  const { fields } = checked(format, toBigint(shape.match.value), level);
  const mask = toBigint(shape.match.mask);
  for (const field of fields) {
    const isDecided = (maskOf(field) & mask) !== 0n;
    ensure(
      !(isDecided && UNNAMED.includes(field.name)),
      `bit ${field.low} decides the kind, and has no name`,
    );
  }
}

/** The address in the fields is the one in the entry, and a rule reserves what a field says is reserved. */
function addresses(format: PageTableFormat, level: number, entries: bigint[], random: SeededRandom): void {
  const { shift, leaf } = format.levels[level] as (typeof format.levels)[number];
  ensure(entries.length > 0, 'there is no such entry');
  for (const bare of entries) {
    const isLeaf = leaf !== null && kindOf(format, level, bare) === 'leaf';
    const size = isLeaf ? sizeOf(format, level, bare) : format.pageShift;
    for (let i = 0; i < 8; i++) {
      const frame = (word(random) % (1n << BigInt(format.paBits))) & (-1n << BigInt(size));
      const entry = bare | addressBits(format, frame);
      const { kind, fields } = checked(format, entry, level);
      if (kind === 'reserved') continue;
      let told = 0n;
      for (const { value, paBit } of fields) if (paBit !== null) told |= value << BigInt(paBit);
      same(told, addressOf(format, entry, isLeaf ? size : format.pageShift), 'the address in the fields');
      if (i === 0) reserved(format, level, entry, fields);
    }
  }
  ensure(shift >= format.pageShift, 'a level is below a page');
}

/** Each bit that a field calls reserved faults when it is set; no bit that it calls ignored does. */
function reserved(
  format: PageTableFormat,
  level: number,
  entry: bigint,
  fields: readonly EntryField[],
): void {
  for (const { name, low, width } of fields) {
    if (!UNNAMED.includes(name)) continue;
    for (let bit = low; bit < low + width; bit++) {
      const kind = kindOf(format, level, entry | (1n << BigInt(bit)));
      const faults = kind === 'reserved' || kind === 'address-size';
      ensure(faults === (name === 'reserved'), `bit ${bit} is called ${name}, and makes the entry ${kind}`);
    }
  }
}

/**
 * A bit of a leaf changes the members of its protection that the field names, and no others. Each member that leaves can
 * differ in is told by some field with a name.
 */
function tells(format: PageTableFormat, level: number, leaves: readonly bigint[]): void {
  const varied = new Set<string>();
  const told = new Set<string>();
  const first = format.decode(words(leaves[0] as bigint), level);
  for (const leaf of leaves) {
    const before = format.decode(words(leaf), level);
    for (const member of changed(first, before)) varied.add(member);
    for (const field of describeEntry(format, leaf, level).fields) {
      if (field.paBit !== null) continue;
      for (let bit = field.low; bit < field.low + field.width; bit++) {
        const flipped = leaf ^ (1n << BigInt(bit));
        if (kindOf(format, level, flipped) !== 'leaf') continue;
        for (const member of changed(before, format.decode(words(flipped), level))) {
          ensure(
            field.tells.includes(member),
            `bit ${bit} (${field.name}) changes ${member}, and the field does not say so`,
          );
          if (!UNNAMED.includes(field.name)) told.add(member);
        }
      }
    }
  }
  for (const member of varied)
    ensure(member === 'extra' || told.has(member), `no field with a name tells ${member}`);
}

function changed(before: Protection, after: Protection): (keyof Protection)[] {
  return MEMBERS.filter((member) => before[member] !== after[member]);
}

/** All leaves that the format can say, without an address. */
function leavesOf(format: PageTableFormat, level: number): bigint[] {
  return combinations(format).flatMap((one) => {
    const leaf = encoded(format, one, level);
    return leaf === null ? [] : [toBigint(leaf)];
  });
}

/** Leaves of a run, without an address; NAPOT ones with the size in their low address bits. */
function marked(format: PageTableFormat, level: number, leaves: readonly bigint[]): bigint[] {
  const { run, shift } = format.levels[level] as (typeof format.levels)[number];
  if (run === null) return [];
  const half = (BigInt(run.entries) << BigInt(shift)) / 2n;
  const size = run.style === 'napot' ? addressBits(format, half) : 0n;
  return leaves.map((leaf) => leaf | toBigint(run.set) | size);
}

/** log2 of the bytes that the address of a leaf is a multiple of: of its size, or of its NAPOT run's. */
function sizeOf(format: PageTableFormat, level: number, leaf: bigint): number {
  const { run, shift } = format.levels[level] as (typeof format.levels)[number];
  const isNapot = run?.style === 'napot' && (leaf & toBigint(run.set)) === toBigint(run.set);
  return isNapot ? shift + Math.log2(run.entries) : shift;
}

function tablesOf(format: PageTableFormat): bigint[] {
  return [toBigint(format.tableEntry)];
}

function maskOf({ low, width }: EntryField): bigint {
  return ((1n << BigInt(width)) - 1n) << BigInt(low);
}

function word(random: SeededRandom): bigint {
  return (BigInt(random.below(2 ** 32)) << 32n) | BigInt(random.below(2 ** 32));
}
