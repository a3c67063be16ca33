import type { LevelView } from '../../look/calls.js';

/** Some bits of an address. */
export interface AddressPart {
  /** `upper`: bits that no table reads. `index`: the slot of a level. `offset`: the place in the leaf. */
  readonly kind: 'upper' | 'index' | 'offset';
  /** The level's name, or what the bits are. */
  readonly name: string;
  /** Index of the level; `null` for others. */
  readonly level: number | null;
  readonly high: number;
  readonly low: number;
  readonly value: bigint;
  /** The bits as text, highest first. */
  readonly text: string;
}

/**
 * Takes an address apart: the bits above, an index for each level, and the offset.
 *
 * @param bits - that the tables translate.
 * @param last - index of the level whose entry ends the walk. All bits below it are the offset.
 */
export function addressParts(
  levels: readonly LevelView[],
  bits: number,
  va: bigint,
  last: number = levels.length - 1,
): AddressPart[] {
  const parts: AddressPart[] = [];
  const add = (kind: AddressPart['kind'], name: string, level: number | null, high: number, low: number) => {
    const width = high - low + 1;
    const value = (va >> BigInt(low)) & ((1n << BigInt(width)) - 1n);
    parts.push({ kind, name, level, high, low, value, text: value.toString(2).padStart(width, '0') });
  };
  if (bits < 64) add('upper', 'upper bits', null, 63, bits);
  for (const [index, level] of levels.slice(0, last + 1).entries())
    add('index', level.name, index, level.shift + level.bits - 1, level.shift);
  const shift = levels[last]?.shift ?? 0;
  add('offset', 'offset', null, shift - 1, 0);
  return parts;
}

/** An address with another slot at a level, and 0 below. */
export function withIndex(levels: readonly LevelView[], va: bigint, level: number, index: number): bigint {
  const { shift, bits } = levels[level] as LevelView;
  const covered = BigInt(shift + bits);
  return ((va >> covered) << covered) | (BigInt(index) << BigInt(shift));
}

/**
 * The address that a root translates and that has the same lower bits: of the half where the root has one, else sign-extended.
 */
export function canonical(bits: number, upper: 'zeros' | 'ones' | 'sign', va: bigint): bigint {
  const inside = va & ((1n << BigInt(bits)) - 1n);
  const ones = (1n << 64n) - (1n << BigInt(bits));
  if (upper === 'zeros') return inside;
  if (upper === 'ones') return ones | inside;
  return ((inside >> BigInt(bits - 1)) & 1n) === 0n ? inside : ones | inside;
}

/** The slot of an address at a level. */
export function indexOf(levels: readonly LevelView[], va: bigint, level: number): number {
  const { shift, bits } = levels[level] as LevelView;
  return Number((va >> BigInt(shift)) & ((1n << BigInt(bits)) - 1n));
}

/** The colour of a level, by its name: a PMD has the same one in every format. */
export function levelColour(name: string): string {
  return `var(--${name.toLowerCase()}, var(--upper))`;
}
