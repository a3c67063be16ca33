import { type Level, type PageTableFormat, VmError, type Words, words } from '@vmarea/core';
import { PAGE_SHIFT, X86_BITS } from './bits.js';
import { LeafCodec } from './leaf-codec.js';
import { type ReservedBits, x86Levels } from './levels.js';
import { LINUX_PAT, memoryTypesOf } from './memory-types.js';
import {
  checkAccess,
  faultCodeOf,
  permissionsOf,
  X8664_CONTROLS,
  type X8664Controls,
} from './permissions.js';

const { P, RW, US, A, D } = X86_BITS;

const ACCESSED = words(A).lo;
const DIRTY = words(D).lo;

/** What differs between processors and between their settings; every default is a current processor under Linux. */
export interface X8664Options {
  /**
   * Width of a physical address in bits (MAXPHYADDR), 32 to 52. Default 52, or `encryptionBit` when that is
   * given. Entry bits from here to 51 are reserved.
   */
  readonly paBits?: number;
  /** EFER.NXE. Default true; when false, bit 63 is reserved and no page can be made non-executable. */
  readonly nxe?: boolean;
  /** Leaves of 1 GiB exist (CPUID 80000001H:EDX bit 26). Default true; when false, PS is reserved in the PUD. */
  readonly page1g?: boolean;
  /** The IA32_PAT register. Default `LINUX_PAT`. */
  readonly pat?: bigint;
  /**
   * Position of AMD's C-bit (CPUID 8000001FH:EBX[5:0]), `paBits` to 51. Default none. The bit is neither
   * address nor reserved: table entries carry it, leaves say it in `extra`.
   */
  readonly encryptionBit?: number;
  /**
   * Whose manual. `amd` reserves bit 8 in the PGD (and P4D), which Intel ignores; since its levels then differ,
   * `translateWords` takes a slower walk. Default `intel`.
   */
  readonly vendor?: 'intel' | 'amd';
}

/** What a paging mode of x86-64 is beyond the entries: its name and its levels. */
export interface X86Geometry {
  /** The format's name. */
  readonly name: string;
  /** Linux's names of the levels, root first, the last one that of 4 KiB leaves. */
  readonly levels: readonly string[];
}

/**
 * The page tables of x86-64 with 4 levels: 48-bit canonical addresses, pages of 4 KiB, 2 MiB and 1 GiB.
 *
 * `extra` of a protection may hold software bits (11:9 and 58:52), the protection key (62:59) and the encryption
 * bit. It may also hold the caching bits of a 4 KiB leaf (PWT 3, PCD 4, PAT 7) of a PAT index other than the
 * lowest with that memory type: then they are used in its place, at every level, and this is how `decode`
 * reports such an entry. All other bits are refused.
 *
 * Going between two valid entries needs no break: see `needsBreak`.
 *
 * Source: Intel SDM vol. 3A, Paging; AMD APM vol. 2, Page Translation and Protection.
 *
 * @param options - the processor; by default a current one as Linux sets it up.
 * @throws VmError `EINVAL` when an option is out of range.
 * @example
 * ```ts
 * const format = x8664({ paBits: 46 });
 * toBigint(format.encode(protection({ write: true, global: true }), 3)); // 0x8000000000000163n
 * ```
 */
export function x8664(options: X8664Options = {}): PageTableFormat<X8664Controls> {
  return x86Format({ name: 'x86-64', levels: ['PGD', 'PUD', 'PMD', 'PTE'] }, options);
}

/**
 * A paging mode of x86-64: `x8664` is the one with 4 levels, others differ in the geometry alone.
 *
 * @throws VmError `EINVAL` when an option is out of range.
 */
export function x86Format(geometry: X86Geometry, options: X8664Options = {}): PageTableFormat<X8664Controls> {
  const reserved = reservedBits(options);
  const { paBits, nxe, encryptionBit } = reserved;
  const levels = x86Levels(geometry.levels, reserved);
  const encrypted = encryptionBit === null ? 0n : 1n << BigInt(encryptionBit);
  const codec = new LeafCodec(levels, memoryTypesOf(options.pat ?? LINUX_PAT), nxe, encrypted);
  const root = levels[0] as Level;

  return Object.freeze<PageTableFormat<X8664Controls>>({
    name: geometry.name,
    pageShift: PAGE_SHIFT,
    paBits,
    range: Object.freeze({ bits: root.shift + root.bits, upper: 'sign' }),
    present: Object.freeze({ mask: frozen(P), value: frozen(P) }),
    levels,
    address: Object.freeze([
      Object.freeze({ entryBit: PAGE_SHIFT, paBit: PAGE_SHIFT, width: paBits - PAGE_SHIFT }),
    ]),
    // Linux's _PAGE_TABLE, 0x067: everything is allowed here and the leaf decides.
    tableEntry: frozen(P | RW | US | A | D | encrypted),
    memoryTypes: codec.memoryTypes,
    controls: X8664_CONTROLS,
    encode: (wanted, level) => codec.encode(wanted, level),
    decode: (leaf, level) => codec.decode(leaf, level),
    change: (leaf, wanted, level) => codec.change(leaf, wanted, level),
    relevel: (leaf, from, to) => codec.relevel(leaf, from, to),
    // SDM vol. 3A, Paging, "Details of TLB Use": software must not change the page size and the frame or rights in
    // one write. The engine never does, and a change of one of them needs an invalidation but no break.
    needsBreak: () => false,
    permissions: permissionsOf,
    check: checkAccess,
    // SDM vol. 3A, Paging, "Accessed and Dirty Flags": A at every level, D in the entry that maps.
    touch: (entry, _level, kind, access) => {
      const lo = entry.lo | (kind === 'leaf' && access.kind === 'write' ? ACCESSED | DIRTY : ACCESSED);
      return lo === entry.lo ? entry : { lo, hi: entry.hi };
    },
    faultCode: (fault, access, controls) => faultCodeOf(fault, access, controls, nxe),
  });
}

/** The options with their defaults, checked. */
function reservedBits(options: X8664Options): ReservedBits {
  const { nxe = true, page1g = true, vendor = 'intel' } = options;
  const encryptionBit = options.encryptionBit ?? null;
  const paBits = options.paBits ?? encryptionBit ?? 52;
  if (!Number.isInteger(paBits) || paBits < 32 || paBits > 52) {
    throw new VmError('EINVAL', `paBits is ${paBits}, expected 32 to 52`);
  }
  if (
    encryptionBit !== null &&
    (!Number.isInteger(encryptionBit) || encryptionBit < paBits || encryptionBit > 51)
  ) {
    throw new VmError('EINVAL', `encryptionBit is ${encryptionBit}, expected paBits (${paBits}) to 51`, {
      advice: 'with encryption the processor reports fewer address bits: give those as paBits',
    });
  }
  if (vendor !== 'intel' && vendor !== 'amd') {
    throw new VmError('EINVAL', `vendor is ${String(vendor)}, expected intel or amd`);
  }
  return { paBits, nxe, page1g, encryptionBit, vendor };
}

function frozen(value: bigint): Words {
  return Object.freeze(words(value));
}
