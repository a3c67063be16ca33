import {
  type Level,
  type Match,
  type PageTableFormat,
  type PhysicalMemory,
  type Rule,
  type Shape,
  toBigint,
} from '@vmarea/core';

/*
 * Entries read from bytes by the format's data, with bigints and none of the engine's code: the judge of what the engine wrote.
 */

/** One entry that a walk reads. */
export interface Read {
  /** Index of its level; the root is 0. */
  readonly level: number;
  /** Physical address of the entry itself. */
  readonly address: bigint;
  /** The entry as it stands in memory. */
  readonly entry: bigint;
}

/** What an entry is by the format's data; for one that breaks a rule, the fault that the rule names. */
export type Kind = 'none' | 'absent' | 'table' | 'leaf' | Rule['fault'];

const seen = new WeakMap<Match, readonly [mask: bigint, value: bigint]>();

/** True when an entry has the bits of a match. */
export function matches(entry: bigint, match: Match): boolean {
  let bits = seen.get(match);
  if (bits === undefined) {
    bits = [toBigint(match.mask), toBigint(match.value)];
    seen.set(match, bits);
  }
  return (entry & bits[0]) === bits[1];
}

/**
 * Tells what an entry is, by the format's data alone. `reserved` is also an entry that is present but neither a table nor a leaf.
 *
 * @param level - index of the level that holds it; the root is 0.
 */
export function kindOf(format: PageTableFormat, level: number, entry: bigint): Kind {
  if (entry === 0n) return 'none';
  if (!matches(entry, format.present)) return 'absent';
  const { table, leaf } = format.levels[level] as Level;
  const shape = table !== null && matches(entry, table.match) ? table : leaf;
  if (shape === null || !matches(entry, shape.match)) return 'reserved';
  return brokenRule(shape, entry)?.fault ?? (shape === table ? 'table' : 'leaf');
}

/** The first rule of a kind of entry that an entry breaks. */
export function brokenRule(shape: Shape | null, entry: bigint): Rule | undefined {
  return shape?.rules.find(
    (rule) =>
      (rule.when === undefined || matches(entry, rule.when)) &&
      matches(entry, rule) !== (rule.must === 'equal'),
  );
}

/** A physical address as it stands in an entry. */
export function addressBits(format: PageTableFormat, pa: bigint): bigint {
  let bits = 0n;
  for (const { entryBit, paBit, width } of format.address) {
    bits |= ((pa >> BigInt(paBit)) & ((1n << BigInt(width)) - 1n)) << BigInt(entryBit);
  }
  return bits;
}

/** The bits of an entry that hold an address, at or above a shift. */
export function addressMask(format: PageTableFormat, shift: number): bigint {
  return addressBits(format, -1n << BigInt(shift));
}

/**
 * Reads the physical address in an entry, in bytes.
 *
 * @param shift - log2 of the bytes that the entry maps: address bits below it are left out.
 */
export function addressOf(format: PageTableFormat, entry: bigint, shift: number): bigint {
  let address = 0n;
  for (const { entryBit, paBit, width } of format.address) {
    address |= ((entry >> BigInt(entryBit)) & ((1n << BigInt(width)) - 1n)) << BigInt(paBit);
  }
  return (address >> BigInt(shift)) << BigInt(shift);
}

/**
 * Reads the entries of a walk from memory, root first, up to the one that ends it.
 *
 * @param root - physical address of the root table.
 * @param va - virtual address; bits above the format's range are left out.
 */
export function readsOf(format: PageTableFormat, memory: PhysicalMemory, root: bigint, va: bigint): Read[] {
  const reads: Read[] = [];
  let table = root;
  for (const [level, { shift, bits }] of format.levels.entries()) {
    const slot = (va >> BigInt(shift)) & ((1n << BigInt(bits)) - 1n);
    const address = table + 8n * slot;
    const entry = memory.read64(address);
    reads.push({ level, address, entry });
    if (kindOf(format, level, entry) !== 'table') break;
    table = addressOf(format, entry, format.pageShift);
  }
  return reads;
}

/** The last entry of a walk. */
export function lastRead(format: PageTableFormat, memory: PhysicalMemory, root: bigint, va: bigint): Read {
  return readsOf(format, memory, root, va).at(-1) as Read;
}
