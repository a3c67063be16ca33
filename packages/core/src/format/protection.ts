import { wrongValue } from '../check/members.js';
import { optionsOf } from '../check/options.js';
import { VmError } from '../errors.js';

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
 * | `unpredictable` | | a byte that the manual leaves unpredictable | |
 */
export type MemoryType =
  | 'normal'
  | 'tagged'
  | 'write-combining'
  | 'write-through'
  | 'write-protected'
  | 'device'
  | 'uncached'
  | 'unpredictable';

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
  const given = membersOf(fields, 'protection()');
  const whole: Protection = Object.freeze({ ...DEFAULTS, dirty: given.write ?? false, ...given });
  made.add(whole);
  return whole;
}

/** True for what `protection()` returned: it never changes, and runs no code of a caller. */
export function isMade(protection: Protection): boolean {
  return made.has(protection);
}

/**
 * Refuses an incomplete protection: a missing member must not look like a right that is not given.
 *
 * @returns the protection itself when `protection()` made it, else a copy: its members may change, or may be
 *   getters of the caller.
 */
export function checkProtection(protection: Protection): Protection {
  if (made.has(protection)) return protection;
  const given = membersOf(protection, 'the protection');
  if (isComplete(given)) return given;
  throw new VmError('EINVAL', 'the protection is not complete', {
    advice: 'make it with protection({ … }) or take a named one of a Linux policy',
  });
}

/** The members of a protection that a call changes, as a copy. Each is read once. */
export function protectionFields(fields: Partial<Protection>): Partial<Protection> {
  const given = membersOf(fields, 'the protection');
  if (fields === undefined) throw wrongValue('the protection', fields, 'the members that change');
  if (!isComplete(given))
    for (const member of ['accessed', 'dirty', 'extra'] as const)
      if (given[member] !== undefined)
        throw new VmError('EINVAL', `a change of protection cannot set ${member}`, {
          advice: 'the change keeps it; set entries with applyToExisting',
        });
  return given;
}

/** The members that are given, each read once and of the right type. */
function membersOf(fields: Partial<Protection> | undefined, what: string): Partial<Protection> {
  const given = optionsOf(fields, NAMES, what, 'member');
  for (const [name, value] of Object.entries(given)) {
    const type = typeof DEFAULTS[name as keyof Protection];
    if (typeof value !== type) throw wrongValue(`${name} of the protection`, value, `a ${type}`);
  }
  return given as Partial<Protection>;
}

/** True when no member is missing. */
export function isComplete(fields: Partial<Protection>): fields is Protection {
  return NAMES.every((member) => fields[member] !== undefined);
}
