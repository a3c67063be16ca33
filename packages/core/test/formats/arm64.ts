import type {
  AddressField,
  Level,
  Match,
  PageTableFormat,
  Permissions,
  Protection,
  Rule,
  Shape,
  Words,
} from '@vmarea/core';
import { mask, matches, protection, toBigint, VmError, words, ZERO } from '@vmarea/core';

/**
 * arm64 stage 1, written as data to prove that the contract can hold it (Arm ARM, D8.3: descriptor
 * formats; D8.2.6: granules). Not a package: `sh`, hierarchical permissions and MAIR are the simplest
 * that make a whole format.
 */
export interface Arm64Shape {
  granule: 4 | 16 | 64;
  vaBits: number;
  /** 52-bit output addresses: LPA for 64K, LPA2 (DS = 1) for 4K and 16K. */
  large?: boolean;
  half?: 'ttbr0' | 'ttbr1';
  paBits?: number;
}

const AF = 1n << 10n;
const NG = 1n << 11n;
const DBM = 1n << 51n;
const CONT = 1n << 52n;
const PXN = 1n << 53n;
const UXN = 1n << 54n;
const AP_USER = 1n << 6n;
const AP_READ_ONLY = 1n << 7n;
const TYPES = ['normal', 'tagged', 'write-combining', 'uncached', 'device'] as const;
const PORTABLE = 0b11n | (7n << 2n) | AP_USER | AP_READ_ONLY | NG | DBM | PXN | UXN;

const match = (bitMask: bigint, value: bigint): Match => ({ mask: words(bitMask), value: words(value) });
const NAMES = ['PTE', 'PMD', 'PUD', 'P4D', 'PGD'];
/** Levels (3 is the last) at which a block may stand, by granule, without and with 52-bit addresses. */
const BLOCKS = {
  4: [
    [2, 1],
    [2, 1, 0],
  ],
  16: [[2], [2, 1]],
  64: [[2], [2, 1]],
} as const;
/** Entries of a contiguous run, by granule and level. */
const RUNS: Record<number, Record<number, number>> = {
  4: { 3: 16, 2: 16, 1: 16 },
  16: { 3: 128, 2: 32 },
  64: { 3: 32, 2: 32 },
};

export function arm64(options: Arm64Shape): PageTableFormat {
  const { granule, vaBits, large = false, half = 'ttbr1' } = options;
  const pageShift = { 4: 12, 16: 14, 64: 16 }[granule];
  const paBits = options.paBits ?? (large ? 52 : 48);
  const address: AddressField[] = !large
    ? [{ entryBit: pageShift, paBit: pageShift, width: 48 - pageShift }]
    : granule === 64
      ? [
          { entryBit: 16, paBit: 16, width: 32 },
          { entryBit: 12, paBit: 48, width: 4 },
        ]
      : [
          { entryBit: pageShift, paBit: pageShift, width: 50 - pageShift },
          { entryBit: 8, paBit: 50, width: 2 },
        ];
  // An output address beyond the implemented size is an Address size fault, not a Translation fault.
  const tooLarge = address
    .flatMap((f) => Array.from({ length: f.width }, (_, i) => [f.entryBit + i, f.paBit + i] as const))
    .filter(([, pa]) => pa >= paBits)
    .reduce((all, [entry]) => all | (1n << BigInt(entry)), 0n);
  const rules: Rule[] =
    tooLarge === 0n ? [] : [{ mask: words(tooLarge), value: ZERO, must: 'equal', fault: 'address-size' }];
  const shape = (type: bigint): Shape => ({ match: match(0b11n, type), rules });

  const perLevel = pageShift - 3;
  const levels: Level[] = [];
  for (let bits = vaBits - pageShift, level = 3; bits > 0; level--) {
    const here = Math.min(bits, perLevel);
    const run = RUNS[granule]?.[level];
    const mayBlock = (BLOCKS[granule][large ? 1 : 0] as readonly number[]).includes(level);
    levels.unshift({
      name: NAMES[3 - level] as string,
      shift: pageShift + perLevel * (3 - level),
      bits: here,
      table: level === 3 ? null : shape(0b11n),
      leaf: level === 3 ? shape(0b11n) : mayBlock ? shape(0b01n) : null,
      run: run === undefined ? null : { entries: run, style: 'consecutive', set: words(CONT) },
    });
    bits -= here;
  }
  // The top level of three is called PGD whatever its depth, as Linux folds the ones above.
  levels[0] = { ...(levels[0] as Level), name: 'PGD' };
  const last = levels.length - 1;
  const typeBits = (level: number) => (level === last ? 0b11n : 0b01n);
  const share = large && granule !== 64 ? 0n : 0b11n << 8n;
  const fieldMask = address.reduce((all, f) => all | mask(f.entryBit, f.entryBit + f.width - 1), 0n);

  return {
    name: `arm64-${granule}k-${vaBits}${large ? '-52' : ''}`,
    pageShift,
    paBits,
    range: { bits: vaBits, upper: half === 'ttbr0' ? 'zeros' : 'ones' },
    present: match(1n, 1n),
    levels,
    address,
    tableEntry: words(3n),
    memoryTypes: TYPES,
    controls: {},
    encode(p: Protection, level: number): Words {
      const type = TYPES.indexOf(p.memory as (typeof TYPES)[number]);
      if (type < 0) throw new VmError('EINVAL', `memory type ${p.memory} has no MAIR index`);
      let entry = typeBits(level) | (BigInt(type) << 2n) | share | p.extra;
      if (p.user) entry |= AP_USER;
      if (p.write) entry |= DBM;
      if (!(p.write && p.dirty)) entry |= AP_READ_ONLY;
      if (p.accessed) entry |= AF;
      if (!p.global) entry |= NG;
      if (!(p.execute && !p.user)) entry |= PXN;
      if (!(p.execute && p.user)) entry |= UXN;
      return words(entry);
    },
    decode(leaf: Words, _level: number): Protection {
      const entry = toBigint(leaf);
      const user = (entry & AP_USER) !== 0n;
      const write = (entry & DBM) !== 0n;
      return protection({
        write,
        user,
        execute: (entry & (user ? UXN : PXN)) === 0n,
        global: (entry & NG) === 0n,
        memory: TYPES[Number((entry >> 2n) & 7n)] ?? 'normal',
        accessed: (entry & AF) !== 0n,
        dirty: write && (entry & AP_READ_ONLY) === 0n,
        extra: entry & ~(PORTABLE | AF | CONT | share | fieldMask),
      });
    },
    change(leaf, wanted, level) {
      const owned = PORTABLE & ~(DBM | AP_READ_ONLY);
      const before = toBigint(leaf);
      const wasDirty = (before & DBM) !== 0n && (before & AP_READ_ONLY) === 0n;
      const rights = (wanted.write ? DBM : 0n) | (wanted.write && wasDirty ? 0n : AP_READ_ONLY);
      const kept = before & ~(owned | DBM | AP_READ_ONLY);
      return words(kept | (toBigint(this.encode(wanted, level)) & owned) | rights);
    },
    relevel(leaf, _from, to) {
      return words((toBigint(leaf) & ~(0b11n | CONT)) | typeBits(to));
    },
    needsBreak: (before, after) => before.lo !== after.lo || before.hi !== after.hi,
    permissions(path): Permissions {
      const leaf = toBigint(path[path.length - 1] as Words);
      const user = (leaf & AP_USER) !== 0n;
      const write = (leaf & AP_READ_ONLY) === 0n || (leaf & DBM) !== 0n;
      // APTable[1:0], PXNTable, UXNTable of every table entry above restrict the leaf.
      const tables = path.slice(0, -1).reduce((all, w) => all | toBigint(w), 0n);
      const userHere = user && ((tables >> 61n) & 1n) === 0n;
      const writeHere = write && ((tables >> 62n) & 1n) === 0n;
      return {
        kernel: {
          read: true,
          write: writeHere,
          execute: (leaf & PXN) === 0n && ((tables >> 59n) & 1n) === 0n,
        },
        user: {
          read: userHere,
          write: userHere && writeHere,
          execute: (leaf & UXN) === 0n && ((tables >> 60n) & 1n) === 0n,
        },
      };
    },
    check(path, access, controls) {
      const leaf = path[path.length - 1] as Words;
      if (!matches(leaf, match(AF, AF))) return { kind: 'access-flag', level: path.length - 1 };
      const allowed = this.permissions(path, controls)[access.user ? 'user' : 'kernel'];
      return allowed[access.kind] ? null : { kind: 'permission', level: path.length - 1 };
    },
    // As with FEAT_HAFDBS switched off: hardware sets nothing.
    touch: (entry) => entry,
    faultCode(fault) {
      const kinds = {
        'address-size': 0,
        'not-present': 4,
        reserved: 4,
        address: 4,
        'access-flag': 8,
        permission: 12,
      };
      const kind = kinds[fault.kind as keyof typeof kinds] ?? 0x14;
      // Levels count up to 3 at the last; an address outside the range is a fault of level 0, wherever walks begin.
      const armLevel = fault.kind === 'address' ? 0 : 3 - (levels.length - 1 - fault.level);
      const below = { 0: 0x29, 4: 0x2b, 20: 0x13 }[kind];
      return { name: 'FSC', code: armLevel < 0 && below !== undefined ? below : kind + armLevel };
    },
  };
}
