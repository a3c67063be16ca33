import { checkAddress } from '../check/address.js';
import { hex, shown, VmError } from '../errors.js';
import { toBigint, words } from '../words.js';
import { classify, isInRun, shapeOf } from './classify.js';
import type { EntryKind, EntryNames, Level, NamedBits, Shape } from './entry.js';
import type { PageTableFormat } from './page-table-format.js';
import type { Protection } from './protection.js';

/** Some bits of one entry. */
export interface EntryField {
  /** The manual's name; `ignored` and `reserved` for bits without one. */
  readonly name: string;
  /** The lowest bit, 0 to 63. */
  readonly low: number;
  /** Number of bits. */
  readonly width: number;
  /** The bits, shifted down to bit 0. */
  readonly value: bigint;
  /** What that value means, in a few words. */
  readonly meaning: string;
  /** The members of a protection that the format's `decode` reads from the bits. */
  readonly tells: readonly (keyof Protection)[];
  /** For a piece of the physical address: the address bit of the lowest bit. `null` for anything else. */
  readonly paBit: number | null;
}

/** An entry, bit by bit. */
export interface EntryDescription {
  /** What the MMU makes of it. */
  readonly kind: EntryKind;
  /** All 64 bits, from bit 0 up, without overlap. */
  readonly fields: readonly EntryField[];
}

type Bare = Omit<EntryField, 'value'>;

const NOTHING: readonly (keyof Protection)[] = Object.freeze([]);
/** A format may keep ignored bits for software. */
const EXTRA: readonly (keyof Protection)[] = Object.freeze(['extra']);

/**
 * Names the bits of an entry as the architecture's manual does: each field with its position, its value and what that
 * means. The fields are all 64 bits.
 *
 * An entry that breaks a rule has the fields of the kind that it looks like: a `reserved` field that is not 0 shows why
 * the walk faults. Of an entry that is not present, only the bits that say so are named.
 *
 * What Linux keeps in ignored bits is not the manual's: it has no name here.
 *
 * @param entry - 64 bits: `WalkStep.entry`, `UnlistedSpan.entry`, or `LeafRun.flags`: there the
 *   address is 0, and the kind of a NAPOT leaf is `reserved`, since its size is part of the address.
 * @param level - its level: an index into `format.levels`, such as `WalkStep.level`.
 * @throws VmError `ERANGE` or `EINVAL` when `entry` is not an unsigned 64-bit bigint; `EINVAL` for a level that the
 *   format does not have, and for a format without names.
 * @example
 * ```ts
 * for (const { entry, level, name } of table.walk(va).steps)
 *   for (const field of describeEntry(table.format, entry, level).fields)
 *     console.log(name, field.name, field.value, field.meaning); // PTE R/W 1n writable
 * ```
 */
export function describeEntry(
  format: Pick<PageTableFormat, 'name' | 'present' | 'levels' | 'address' | 'pageShift'>,
  entry: bigint,
  level: number,
): EntryDescription {
  checkAddress(entry, 'the entry');
  const at = format.levels[level];
  if (at === undefined)
    throw new VmError('EINVAL', `level is ${shown(level)}, which ${format.name} does not have`, {
      advice: `it has 0 to ${format.levels.length - 1}`,
    });
  const bits = words(entry);
  const kind = classify(format.present, at, bits);
  const isPresent = kind !== 'none' && kind !== 'absent';
  const shape = isPresent ? shapeOf(at, bits) : null;
  const found = shape === null ? withoutShape(format, at, isPresent) : withShape(format, at, shape, entry);
  const fields = withGaps(found, reservedBits(shape), kind, shape === null)
    .map((field) => withValue(field, entry))
    .sort((a, b) => a.low - b.low);
  return { kind, fields };
}

/** The fields that tell that an entry is not present, or is of no kind. */
function withoutShape(
  format: Pick<PageTableFormat, 'name' | 'present'>,
  { table, leaf }: Level,
  isPresent: boolean,
): Bare[] {
  const shape = (table ?? leaf) as Shape;
  const told = toBigint(format.present.mask) | (isPresent ? toBigint(shape.match.mask) : 0n);
  return namesOf(format, shape)
    .bits.filter((bits) => (maskOf(bits) & ~told) === 0n)
    .map(named);
}

function withShape(
  format: Pick<PageTableFormat, 'name' | 'levels' | 'address' | 'pageShift'>,
  level: Level,
  shape: Shape,
  entry: bigint,
): Bare[] {
  const { address, bits } = namesOf(format, shape);
  const fields = bits.map(named);
  const isLeaf = shape === level.leaf && shape !== level.table;
  const lowest = isLeaf ? level.shift : format.pageShift;
  const { lo, hi } = words(entry);
  const run = isLeaf && level.run?.style === 'napot' && isInRun(level.run, lo, hi) ? level.run : null;
  const inside = run === null ? 0 : Math.log2(run.entries);
  for (const { entryBit, paBit, width } of format.address) {
    const end = paBit + width;
    const add = (from: number, to: number, text: string | null): void => {
      if (from >= to) return;
      fields.push({
        name: address.replace('#', `${to - 1}:${from}`),
        low: entryBit + from - paBit,
        width: to - from,
        meaning: text ?? '',
        tells: NOTHING,
        paBit: text === null ? from : null,
      });
    };
    const first = Math.max(paBit, lowest);
    const split = Math.max(first, Math.min(end, lowest + inside));
    add(first, split, run === null ? null : `one of ${run.entries} leaves of a run`);
    add(split, end, null);
  }
  return fields;
}

function namesOf({ name }: { readonly name: string }, { names }: Partial<Shape>): EntryNames {
  if (names !== undefined) return names;
  throw new VmError('EINVAL', `format ${name} does not name the bits of its entries`, {
    advice: 'each shape of its levels needs `names`',
  });
}

function named({ name, low, width = 1, says, tells = NOTHING }: NamedBits): Bare {
  return { name, low, width, meaning: says.join('\n'), tells, paBit: null };
}

/** The bits that must be 0, whatever else an entry has. */
function reservedBits(shape: Shape | null): bigint {
  const rules = (shape?.rules ?? []).filter(({ must, when }) => must === 'equal' && when === undefined);
  return rules.reduce((all, { mask }) => all | toBigint(mask), 0n);
}

/** Adds what no name covers: bits that a rule reserves, and bits that the MMU ignores. */
function withGaps(fields: readonly Bare[], reserved: bigint, kind: EntryKind, isBare: boolean): Bare[] {
  const isReserved = isBare && kind === 'reserved';
  const covered = fields.reduce((all, field) => all | maskOf(field), 0n);
  const gapAt = (bit: number): 'reserved' | 'ignored' | null => {
    const mask = 1n << BigInt(bit);
    if (bit > 63 || (covered & mask) !== 0n) return null;
    return isReserved || (reserved & mask) !== 0n ? 'reserved' : 'ignored';
  };
  const all = [...fields];
  for (let low = 0; low < 64; ) {
    const name = gapAt(low);
    let end = low + 1;
    while (name !== null && gapAt(end) === name) end++;
    if (name !== null) {
      const isIgnored = name === 'ignored';
      const meaning = isIgnored ? 'the MMU ignores it' : isReserved ? 'of no known kind' : 'must be 0';
      all.push({
        name,
        low,
        width: end - low,
        meaning,
        tells: isIgnored && kind === 'leaf' ? EXTRA : NOTHING,
        paBit: null,
      });
    }
    low = end;
  }
  return all;
}

function maskOf({ low, width = 1 }: { readonly low: number; readonly width?: number }): bigint {
  return ((1n << BigInt(width)) - 1n) << BigInt(low);
}

function withValue(field: Bare, entry: bigint): EntryField {
  const { low, width, paBit } = field;
  const value = (entry >> BigInt(low)) & ((1n << BigInt(width)) - 1n);
  const says = field.meaning.split('\n');
  const meaning =
    paBit === null ? (says.length === 1 ? says[0] : says[Number(value)]) : physical(value, paBit);
  return { ...field, value, meaning: (meaning ?? 'reserved').replace('#', String(value)) };
}

function physical(value: bigint, paBit: number): string {
  return `physical ${hex(value << BigInt(paBit))}`;
}
