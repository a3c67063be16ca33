import {
  bigintOption,
  choiceOption,
  completeControls,
  flagOption,
  type Given,
  integerOption,
  type Level,
  optionsOf,
  type PageTableFormat,
  textOption,
  VmError,
  type Words,
  words,
} from '@vmarea/core';
import { PAGE_SHIFT, X86_BITS } from './bits.js';
import { LeafCodec } from './leaf-codec.js';
import { type ReservedBits, x86Levels } from './levels.js';
import { attributesOf, LINUX_PAT, memoryTypesOf } from './memory-types.js';
import {
  checkAccess,
  faultCodeOf,
  permissionsOf,
  X8664_CONTROLS,
  type X8664Controls,
} from './permissions.js';

const { P, RW, US, A, D, G } = X86_BITS;

const ACCESSED = words(A).lo;
const DIRTY = words(D).lo;
const GLOBAL = words(G).lo;

/** The differences between processors and between their settings. The defaults are those of a current processor under Linux. */
export interface X8664Options {
  /**
   * Width of a physical address in bits (MAXPHYADDR), 32 to 52. Entry bits from here to 51 are reserved. Default:
   * `encryptionBit` or `sharedBit` where one is given, else 52.
   */
  readonly paBits?: number;
  /** EFER.NXE. When false, bit 63 is reserved and no page can be made non-executable. Default: true. */
  readonly nxe?: boolean;
  /** The processor has leaves of 1 GiB (CPUID 80000001H:EDX bit 26). When false, PS is reserved in the PUD. Default: true. */
  readonly page1g?: boolean;
  /** The IA32_PAT register. Default: `LINUX_PAT`. */
  readonly pat?: bigint;
  /**
   * Position of AMD's C-bit (CPUID 8000001FH:EBX[5:0]), `paBits` to 51. The bit is not part of the address and not
   * reserved: table entries have it, and leaves have it in `extra`. Default: no C-bit.
   */
  readonly encryptionBit?: number;
  /**
   * Position of the shared bit in a trust domain of Intel TDX, `paBits` to 51: 47 or 51. The bit is not part of the
   * address. Leaves say it in `extra`. Tables are private memory, so it is reserved in entries that point to them.
   * Default: none.
   */
  readonly sharedBit?: number;
  /**
   * The manual to follow. `amd` reserves bit 8 in the PGD (and P4D), which Intel ignores. Its levels then differ, and
   * `translateWords` takes a slower walk. Default: `intel`.
   */
  readonly vendor?: 'intel' | 'amd';
}

/** The name and levels of a paging mode of x86-64. */
export interface X86Geometry {
  /** The format's name. */
  readonly name: string;
  /** Linux's names of the levels, root first. The last one has the 4 KiB leaves. */
  readonly levels: readonly string[];
}

/**
 * The page tables of x86-64 with 4 levels: 48-bit canonical addresses, pages of 4 KiB, 2 MiB and 1 GiB.
 *
 * `extra` of a protection may hold software bits (11:9 and 58:52), the protection key (62:59) and the encryption
 * or shared bit. It may also hold caching bits (PWT 3, PCD 4, PAT 7, as in a 4 KiB leaf) that select another PAT index than the
 * lowest one of the memory type. `encode` then uses that index at every level, and `decode` returns the same bits. All other
 * bits are refused.
 *
 * A change from one valid entry to another needs no break: see `needsBreak`.
 *
 * Source: Intel SDM vol. 3A, Paging; AMD APM vol. 2, Page Translation and Protection.
 *
 * @param options - the processor. Default: a current one as Linux sets it up.
 * @throws VmError `EINVAL` when an option is unknown or out of range.
 * @example
 * ```ts
 * const format = x8664({ paBits: 46 });
 * toBigint(format.encode(protection({ write: true, global: true }), 3)); // 0x8000000000000163n
 * ```
 */
export function x8664(options?: X8664Options): PageTableFormat<X8664Controls> {
  return x86Format({ name: 'x86-64', levels: ['PGD', 'PUD', 'PMD', 'PTE'] }, options, 'x8664()');
}

const NAMES = ['paBits', 'nxe', 'page1g', 'pat', 'encryptionBit', 'sharedBit', 'vendor'] as const;

/**
 * A paging mode of x86-64: `x8664` is the one with 4 levels. Others differ in the geometry only.
 *
 * @param what - the call in messages. Default: the name of the geometry.
 * @throws VmError `EINVAL` when an option is unknown or out of range, or the geometry is wrong.
 */
export function x86Format(
  geometry: X86Geometry,
  options?: X8664Options,
  what?: string,
): PageTableFormat<X8664Controls> {
  const { name, levels: names } = checkedGeometry(geometry);
  const given = optionsOf(options, NAMES, what ?? name);
  const reserved = reservedBits(given);
  const { paBits, nxe, encryptionBit, sharedBit } = reserved;
  const levels = x86Levels(names, reserved);
  const encrypted = bitOf(encryptionBit);
  const own = encrypted | bitOf(sharedBit);
  const pat = bigintOption(given, 'pat', LINUX_PAT);
  const codec = new LeafCodec(levels, memoryTypesOf(pat), nxe, own);
  const root = levels[0] as Level;
  const modes = (controls: X8664Controls) => completeControls(X8664_CONTROLS, controls, name);

  return Object.freeze<PageTableFormat<X8664Controls>>({
    name,
    pageShift: PAGE_SHIFT,
    paBits,
    range: Object.freeze({ bits: root.shift + root.bits, upper: 'sign' }),
    present: Object.freeze({ mask: frozen(P), value: frozen(P) }),
    levels,
    address: Object.freeze([
      Object.freeze({ entryBit: PAGE_SHIFT, paBit: PAGE_SHIFT, width: paBits - PAGE_SHIFT }),
    ]),
    // It allows everything, and the leaf decides. Linux's _PAGE_TABLE, 0x067, is the same.
    tableEntry: frozen(P | RW | US | A | D | encrypted),
    memoryTypes: codec.memoryTypes,
    controls: X8664_CONTROLS,
    encode: (wanted, level) => codec.encode(wanted, level),
    decode: (leaf, level) => codec.decode(leaf, level),
    memoryAttributes: (leaf, level) => attributesOf(pat, codec.cachingAt(leaf, level)),
    change: (leaf, wanted, level) => codec.change(leaf, wanted, level),
    relevel: (leaf, from, to) => codec.relevel(leaf, from, to),
    // SDM vol. 3A, Paging, "Details of TLB Use": software must not change the page size and the frame or rights in
    // one write. The engine never does. A change of one of them needs an invalidation but no break.
    needsBreak: () => false,
    permissions: (path, controls) => permissionsOf(path, modes(controls)),
    check: (path, access, controls) => checkAccess(path, access, modes(controls)),
    // SDM vol. 3A, Paging, "Accessed and Dirty Flags": A at every level, D in the entry that maps.
    touch: (entry, _level, kind, access, controls) => {
      modes(controls);
      const lo = entry.lo | (kind === 'leaf' && access.kind === 'write' ? ACCESSED | DIRTY : ACCESSED);
      return lo === entry.lo ? entry : { lo, hi: entry.hi };
    },
    isGlobal: (path, controls) => modes(controls).pge && ((path.at(-1) as Words).lo & GLOBAL) !== 0,
    faultCode: (fault, access, controls) => faultCodeOf(fault, access, modes(controls), nxe),
  });
}

/** More levels would translate more than 63 bits. */
const MOST_LEVELS = 5;

function checkedGeometry(geometry: X86Geometry): X86Geometry {
  const given = optionsOf(geometry, ['name', 'levels'], 'the geometry');
  const name = textOption(given, 'name');
  const { levels } = given;
  const isList = Array.isArray(levels) && levels.every((level) => typeof level === 'string');
  if (!isList || levels.length < 1 || levels.length > MOST_LEVELS) {
    throw new VmError('EINVAL', `the levels of ${name} are not a list of 1 to ${MOST_LEVELS} names`, {
      advice: "pass their names, root first, such as ['PGD', 'PUD', 'PMD', 'PTE']",
    });
  }
  return { name, levels: [...levels] };
}

/** The options with their defaults, checked. */
function reservedBits(given: Given<X8664Options>): ReservedBits {
  const [encryptionBit, sharedBit] = (['encryptionBit', 'sharedBit'] as const).map((name) =>
    given[name] === undefined ? null : integerOption(given, name, 32, 51),
  ) as [number | null, number | null];
  const bit = encryptionBit ?? sharedBit ?? 52;
  const paBits = integerOption(given, 'paBits', 32, 52, bit);
  if (encryptionBit !== null && sharedBit !== null)
    throw new VmError('EINVAL', 'encryptionBit and sharedBit are both given, but no processor has both');
  if (bit < paBits) {
    const name = encryptionBit === null ? 'sharedBit' : 'encryptionBit';
    throw new VmError('EINVAL', `${name} is ${bit}, expected paBits (${paBits}) to 51`, {
      advice: 'with encryption the processor reports fewer address bits: give those as paBits',
    });
  }
  return {
    paBits,
    nxe: flagOption(given, 'nxe', true),
    page1g: flagOption(given, 'page1g', true),
    encryptionBit,
    sharedBit,
    vendor: choiceOption(given, 'vendor', ['intel', 'amd'], 'intel'),
  };
}

function bitOf(position: number | null): bigint {
  return position === null ? 0n : 1n << BigInt(position);
}

function frozen(value: bigint): Words {
  return Object.freeze(words(value));
}
