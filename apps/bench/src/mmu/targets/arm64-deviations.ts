import { ARM64_BITS, type Arm64Controls } from '@vmarea/arm64';
import type { PageTableFormat, Walk } from '@vmarea/core';
import { addressOf } from '../batch/address.js';
import type { Deviation } from '../target.js';

const { AF, AP_USER, AP_READ_ONLY, DBM, PXN, UXN } = ARM64_BITS;
const { PXN_TABLE, UXN_TABLE, AP_TABLE_NO_USER, AP_TABLE_READ_ONLY } = ARM64_BITS;

/** DBM with AP[2]: a clean page that hardware may make writable. */
export const CLEAN = DBM | AP_READ_ONLY;
/** From level −1 to 3. */
const LEVELS_WITH_MINUS_ONE = 5;
/** Address bits that QEMU ignores with a narrow output size: 51:50 with DS = 1, 51:48 with the 64K granule. */
const HIGH_WITH_DS = 0x300n;
const HIGH_WITH_64K = 0xf000n;

/** The differences of QEMU's arm64 from the manual. Each covers as few accesses as possible, since those left out are not judged. */
export const ARM64_DEVIATIONS: readonly Deviation[] = [
  {
    name: 'faults of level -1',
    ...{ from: '0', to: '10.0' },
    about: 'QEMU 7.2 ends with a failed assertion',
    concerns: ({ format }, { fault }) =>
      format.levels.length === LEVELS_WITH_MINUS_ONE && fault?.level === 0 && fault.kind !== 'address',
    instead: null,
  },
  {
    name: 'blocks at levels without blocks',
    ...{ from: '0', to: '10.0' },
    about: 'such an entry is invalid; QEMU 7.2 translates with it',
    concerns: (_subject, { fault }) => fault?.kind === 'reserved',
    instead: null,
  },
  {
    name: 'high address bits beyond a smaller output size',
    ...{ from: '7.0', to: null },
    about:
      'with DS = 1, descriptor bits 9:8 are address bits 51:50; with the 64K granule and FEAT_LPA, bits 15:12 are 51:48; when set ' +
      'beyond the output size, they raise an Address size fault; QEMU checks them only where the size is 52',
    concerns({ format }, { fault, steps }) {
      if (fault?.kind !== 'address-size') return false;
      const unseen = format.pageShift === 16 ? HIGH_WITH_64K : HIGH_WITH_DS;
      // QEMU, too, refuses addresses that exceed the size in the other bits.
      return addressOf(format, (steps.at(-1)?.entry ?? 0n) & ~unseen) >> BigInt(format.paBits) === 0n;
    },
    instead: null,
  },
  {
    name: 'fetches from clean pages that hardware may make dirty',
    ...{ from: '7.0', to: null },
    about:
      'with HA and HD, a leaf with DBM counts as writable, so WXN applies to it, and EL1 cannot execute it where EL0 may write it; ' +
      'QEMU uses AP[2] unchanged unless the access is a store',
    concerns({ controls }, walk, { kind, user }) {
      const { ha, hd, wxn, e0pd } = controls as Arm64Controls;
      const leaf = effectiveLeaf(walk, controls as Arm64Controls);
      if (kind !== 'execute' || leaf === null || !ha || !hd || !leaf.isClean) return false;
      if (user) return !e0pd && !leaf.uxn && wxn && leaf.user;
      return !leaf.pxn && (wxn || leaf.user);
    },
    instead: (outcome, made) => made ?? outcome,
    marks: AF,
  },
  {
    name: 'WXN beside EPAN',
    ...{ from: '8.0', to: null },
    about:
      'PAN denies data accesses and does not change WXN: EL1 cannot execute a page that it may write; QEMU checks WXN after EPAN ' +
      'has denied the write',
    concerns({ controls }, walk, { kind, user }) {
      const { wxn, pan, epan } = controls as Arm64Controls;
      const leaf = effectiveLeaf(walk, controls as Arm64Controls);
      if (kind !== 'execute' || user || leaf === null || !wxn || !pan || !epan) return false;
      return leaf.isWritable && !leaf.user && !leaf.uxn && !leaf.pxn;
    },
    instead: (outcome, made) => made ?? outcome,
    marks: AF,
  },
];

/** The address bits of a format's descriptors. */
export function outputBitsOf({ address }: PageTableFormat): 48 | 52 {
  return address.some(({ paBit, width }) => paBit + width === 52) ? 52 : 48;
}

/** The permissions of a leaf with those of the tables above. */
interface EffectiveLeaf {
  /** AP[2] is clear. */
  readonly isWritable: boolean;
  /** AP[2] and DBM are set. */
  readonly isClean: boolean;
  readonly user: boolean;
  readonly uxn: boolean;
  readonly pxn: boolean;
}

/** Reads the leaf of a walk from its bits; `null` when the walk faults before permissions. */
function effectiveLeaf({ leaf, steps }: Walk, { ha, hpd }: Arm64Controls): EffectiveLeaf | null {
  const entry = steps.at(-1)?.entry ?? 0n;
  if (leaf === null || (!ha && (entry & AF) === 0n)) return null;
  const tables = hpd ? 0n : steps.slice(0, -1).reduce((all, step) => all | step.entry, 0n);
  const isAllowed = (tables & AP_TABLE_READ_ONLY) === 0n;
  return {
    isWritable: isAllowed && (entry & AP_READ_ONLY) === 0n,
    isClean: isAllowed && (entry & CLEAN) === CLEAN,
    user: (entry & AP_USER) !== 0n && (tables & AP_TABLE_NO_USER) === 0n,
    uxn: (entry & UXN) !== 0n || (tables & UXN_TABLE) !== 0n,
    pxn: (entry & PXN) !== 0n || (tables & PXN_TABLE) !== 0n,
  };
}
