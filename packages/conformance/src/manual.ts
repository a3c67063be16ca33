import type { Access } from '@vmarea/core';

/** A right of one side. */
export type Right = `${'kernel' | 'user'} ${Access['kind']}`;

/**
 * A way in which a valid leaf becomes another valid entry of its level.
 *
 * - `size`: a table in place of a leaf, or the other way round.
 * - `run`: the mark of a run, set or cleared.
 * - `frame`: another physical address.
 * - `memory`: another memory type.
 * - `global`: from one address space to all; not back.
 * - `rights`: write or execute, given or taken.
 */
export type Change = 'size' | 'run' | 'frame' | 'memory' | 'global' | 'rights';

/** Bits of an entry that points to a table, and what nothing below is allowed when they have a value. */
export interface TableBits {
  /** The bits; all of them have the value, or the opposite. */
  readonly bits: bigint;
  /** The value that forbids: 0n or `bits`. */
  readonly value: bigint;
  /** What it takes away, and nothing else. */
  readonly forbids: readonly Right[];
}

/** Bits of which none may be set in an entry. */
export interface ReservedBits {
  /** Entries that point to a table, or leaves. */
  readonly in: 'table' | 'leaf';
  /** Name of the level; all levels when absent. */
  readonly level?: string;
  /** Mask within the 64-bit entry. */
  readonly bits: bigint;
}

/** What the number of a fault tells apart: its kind, its level, what the access was, and who made it. */
export type Told = 'kind' | 'level' | 'access' | 'side';

/**
 * What the architecture's manual says and no data of a format can: written down a second time, so that a format that has
 * forgotten it is found. Members that are absent are not looked at.
 *
 * @example
 * ```ts
 * const manual: Manual = {
 *   breaks: ['size', 'frame'],
 *   tables: [{ bits: 4n, value: 0n, forbids: ['kernel write', 'user write'] }],
 *   tableUse: 0n,
 *   reserved: [{ in: 'leaf', bits: 0x7fn << 54n }],
 *   faults: ['kind', 'level'],
 * };
 * ```
 */
export interface Manual {
  /** The changes that need a break (break-before-make); the others need none. */
  readonly breaks?: readonly Change[];
  /** Everything in a table entry that forbids; no other bit of it forbids or allows anything. */
  readonly tables?: readonly TableBits[];
  /** The bits that the MMU sets in a table entry when it uses it; 0n for none. */
  readonly tableUse?: bigint;
  /** Bits that make an entry fault, each alone. */
  readonly reserved?: readonly ReservedBits[];
  /** What the number of a fault tells; it tells nothing else of these. */
  readonly faults?: readonly Told[];
}
