import { wrongValue } from '../check/members.js';
import { optionsOf } from '../check/options.js';

/**
 * Memory types, named by Linux's use of them. A format maps each to its own encoding, and refuses those it
 * cannot express.
 *
 * | type | x86-64 (Linux's PAT) | arm64 (Linux's MAIR) | riscv64 (Svpbmt) |
 * | --- | --- | --- | --- |
 * | `normal` | WB | Normal | PMA |
 * | `tagged` | | Normal-Tagged | |
 * | `write-combining` | WC | Normal-NC | NC |
 * | `write-through` | WT | Normal WT, when MAIR has it | |
 * | `write-protected` | WP | | |
 * | `device` (default of ioremap) | UC- | Device-nGnRE | IO |
 * | `uncached` (`pgprot_noncached`) | UC | Device-nGnRnE | |
 */
export type MemoryType =
  | 'normal'
  | 'tagged'
  | 'write-combining'
  | 'write-through'
  | 'write-protected'
  | 'device'
  | 'uncached';

/**
 * What a leaf allows and how its memory behaves, in terms that every format shares.
 *
 * Formats turn it into bits with `encode` and back with `decode`. What only one architecture has is in
 * `extra`, so that `decode` loses nothing.
 */
export interface Protection {
  /** Loads are allowed. x86-64 cannot forbid them. */
  readonly read: boolean;
  /** Stores are allowed. */
  readonly write: boolean;
  /** Instructions may be fetched, by the side that owns the page (`user`). */
  readonly execute: boolean;
  /** The page belongs to user mode. */
  readonly user: boolean;
  /** The translation is the same in every address space (x86-64 G, arm64 nG clear, riscv64 G). */
  readonly global: boolean;
  /** The memory type. */
  readonly memory: MemoryType;
  /** The accessed bit (x86-64 A, arm64 AF, riscv64 A), as it is first written. */
  readonly accessed: boolean;
  /** The dirty bit as it is first written. */
  readonly dirty: boolean;
  /**
   * Other bits of this format's leaf (software bits, x86-64 protection key and encryption bit, arm64 GP), at
   * their place in a leaf of the last level. A format that moves a bit in larger leaves does so itself. 0n
   * for none.
   */
  readonly extra: bigint;
}

/** What `protection` returned. Any other object may have members that run a caller's code. */
const made = new WeakSet<Protection>();

const DEFAULTS: Protection = Object.freeze({
  read: true,
  write: false,
  execute: false,
  user: false,
  global: false,
  memory: 'normal',
  accessed: true,
  dirty: false,
  extra: 0n,
});
const NAMES = Object.keys(DEFAULTS) as (keyof Protection)[];

/**
 * Completes a protection: readable, kernel-only, normal memory, accessed, and dirty when writable, as Linux
 * writes its kernel mappings.
 *
 * @param fields - the members that differ from these defaults.
 * @throws VmError `EINVAL` for an unknown member, naming the nearest one, or for a value of another type.
 * @example
 * ```ts
 * const text = protection({ execute: true, global: true });
 * const registers = protection({ write: true, memory: 'device' });
 * ```
 */
export function protection(fields?: Partial<Protection>): Protection {
  const given = optionsOf(fields, NAMES, 'protection()', 'member');
  for (const [name, value] of Object.entries(given))
    if (typeof value !== typeof DEFAULTS[name as keyof Protection])
      throw wrongValue(`${name} of the protection`, value, `a ${typeof DEFAULTS[name as keyof Protection]}`);
  const whole = Object.freeze({ ...DEFAULTS, dirty: given.write ?? false, ...given }) as Protection;
  made.add(whole);
  return whole;
}

/** True for what `protection` returned: it is complete and never changes. */
export function isMade(value: Protection): boolean {
  return made.has(value);
}
