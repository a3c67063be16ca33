import type {
  Level,
  Match,
  PageTableFormat,
  Permissions,
  Protection,
  Rule,
  Shape,
  Words,
} from '@vmarea/core';
import { mask, protection, toBigint, VmError, words, ZERO } from '@vmarea/core';

/**
 * x86-64 with 4 and 5 levels, written down as data (Intel SDM vol. 3A, Paging: "4-Level Paging and 5-Level Paging"). Not the
 * package: protection keys, CR0.WP, SMEP and SMAP are the simplest that make a whole format.
 */
const P = 1n;
const RW = 1n << 1n;
const US = 1n << 2n;
const PWT = 1n << 3n;
const PCD = 1n << 4n;
const A = 1n << 5n;
const D = 1n << 6n;
const PS = 1n << 7n;
/** In a leaf of 4 KiB it stands where PS stands in others; in a block above the attributes. */
const PAT = 1n << 7n;
const PAT_LARGE = 1n << 12n;
const G = 1n << 8n;
const NX = 1n << 63n;
const CACHING = PWT | PCD | PAT;
const SOFTWARE = mask(9, 11) | mask(52, 58);
const NAMES = ['PTE', 'PMD', 'PUD', 'P4D', 'PGD'];
/** By PAT index, as Linux programs it: indexes 4 and 6 repeat 0 and 2. */
const TYPES = [
  'normal',
  'write-combining',
  'device',
  'uncached',
  'normal',
  'write-protected',
  'device',
  'write-through',
] as const;

const match = (bitMask: bigint, value: bigint): Match => ({ mask: words(bitMask), value: words(value) });
const zero = (bitMask: bigint): Rule[] =>
  bitMask === 0n ? [] : [{ mask: words(bitMask), value: ZERO, must: 'equal', fault: 'reserved' }];

/** The caching bits of a 4 KiB leaf with a PAT index. */
function cachingOf(index: number): bigint {
  return ((index & 1) === 0 ? 0n : PWT) | ((index & 2) === 0 ? 0n : PCD) | ((index & 4) === 0 ? 0n : PAT);
}

function indexOf(caching: bigint): number {
  const pat = (caching & PAT) === 0n ? 0 : 4;
  return pat + ((caching & PCD) === 0n ? 0 : 2) + ((caching & PWT) === 0n ? 0 : 1);
}

const toLarge = (bits: bigint): bigint =>
  (bits & ~(PAT | PAT_LARGE)) | PS | ((bits & PAT) === 0n ? 0n : PAT_LARGE);
const toSmall = (bits: bigint): bigint => (bits & ~(PS | PAT_LARGE)) | ((bits & PAT_LARGE) === 0n ? 0n : PAT);

/** Only the PMD (2 MiB) and the PUD (1 GiB) hold blocks. */
function shapesOf(
  above: number,
  shift: number,
  tooHigh: bigint,
): { table: Shape | null; leaf: Shape | null } {
  if (above === 0) return { table: null, leaf: { match: match(P, P), rules: zero(tooHigh) } };
  if (above > 2) return { table: { match: match(P, P), rules: zero(PS | tooHigh) }, leaf: null };
  return {
    table: { match: match(P | PS, P), rules: zero(tooHigh) },
    leaf: { match: match(P | PS, P | PS), rules: zero(mask(13, shift - 1) | tooHigh) },
  };
}

/** @param paBits - MAXPHYADDR: the address bits of an entry from there on are reserved. */
export function x86(depth: 4 | 5, paBits = 52): PageTableFormat {
  const last = depth - 1;
  const tooHigh = paBits < 52 ? mask(paBits, 51) : 0n;
  const levels: Level[] = Array.from({ length: depth }, (_, index) => {
    const shift = 12 + 9 * (last - index);
    const name = index === 0 ? 'PGD' : (NAMES[last - index] as string);
    return { name, shift, bits: 9, ...shapesOf(last - index, shift, tooHigh), run: null };
  });
  const isLarge = (level: number): boolean => level < last;

  const format: PageTableFormat = {
    name: `x86-${depth}-levels-${paBits}`,
    pageShift: 12,
    paBits,
    range: { bits: 12 + 9 * depth, upper: 'sign' },
    present: match(P, P),
    levels,
    address: [{ entryBit: 12, paBit: 12, width: paBits - 12 }],
    // Linux's _PAGE_TABLE.
    tableEntry: words(0x067n),
    memoryTypes: [...new Set(TYPES)],
    controls: {},
    encode(p: Protection, level: number): Words {
      if (!p.read) throw new VmError('EINVAL', 'every page that is mapped can be read');
      if ((p.extra & ~(SOFTWARE | CACHING | mask(59, 62))) !== 0n) {
        throw new VmError('EINVAL', 'extra has bits of its own meaning');
      }
      const lowest = TYPES.indexOf(p.memory as (typeof TYPES)[number]);
      if (lowest < 0) throw new VmError('EINVAL', `memory type ${p.memory} has no PAT index`);
      const named = p.extra & CACHING;
      if (named !== 0n && TYPES[indexOf(named)] !== p.memory) {
        throw new VmError('EINVAL', `extra names the PAT index of another type than ${p.memory}`);
      }
      let entry = P | (p.extra & ~CACHING) | (named === 0n ? cachingOf(lowest) : named);
      if (p.write) entry |= RW;
      if (p.user) entry |= US;
      if (p.accessed) entry |= A;
      if (p.dirty) entry |= D;
      if (p.global) entry |= G;
      if (!p.execute) entry |= NX;
      return words(isLarge(level) ? toLarge(entry) : entry);
    },
    decode(leaf: Words, level: number): Protection {
      const entry = isLarge(level) ? toSmall(toBigint(leaf)) : toBigint(leaf);
      const index = indexOf(entry);
      const memory = TYPES[index] as (typeof TYPES)[number];
      const caching = TYPES.indexOf(memory) === index ? 0n : entry & CACHING;
      return protection({
        write: (entry & RW) !== 0n,
        user: (entry & US) !== 0n,
        accessed: (entry & A) !== 0n,
        dirty: (entry & D) !== 0n,
        global: (entry & G) !== 0n,
        execute: (entry & NX) === 0n,
        memory,
        extra: (entry & (SOFTWARE | mask(59, 62))) | caching,
      });
    },
    change(leaf, wanted, level) {
      const caching = isLarge(level) ? PWT | PCD | PAT_LARGE : CACHING;
      const owned = RW | US | G | NX | caching;
      const before = toBigint(leaf);
      const after = (before & ~owned) | (toBigint(format.encode(wanted, level)) & owned);
      // Dirty without the right to write is a shadow stack.
      return words((before & ~after & RW) === 0n ? after : after & ~D);
    },
    relevel(leaf, from, to) {
      if (isLarge(from) === isLarge(to)) return { lo: leaf.lo, hi: leaf.hi };
      return words((isLarge(to) ? toLarge : toSmall)(toBigint(leaf)));
    },
    needsBreak: () => false,
    permissions(path): Permissions {
      const entries = path.map(toBigint);
      const write = entries.every((entry) => (entry & RW) !== 0n);
      const user = entries.every((entry) => (entry & US) !== 0n);
      const execute = entries.every((entry) => (entry & NX) === 0n);
      return {
        kernel: { read: true, write, execute },
        user: { read: user, write: user && write, execute: user && execute },
      };
    },
    check(path, access, controls) {
      const allowed = this.permissions(path, controls)[access.user ? 'user' : 'kernel'];
      return allowed[access.kind] ? null : { kind: 'permission', level: path.length - 1 };
    },
    // Accessed at every level, dirty where a write ends.
    touch(entry, _level, kind, access) {
      const lo = entry.lo | Number(kind === 'leaf' && access.kind === 'write' ? A | D : A);
      return lo === entry.lo ? entry : { lo, hi: entry.hi };
    },
    faultCode({ kind }, access) {
      if (kind === 'address') return { name: '#GP', code: 0 };
      const reason = { 'not-present': 0, reserved: 9, permission: 1 }[kind as string] ?? 0;
      const write = access.kind === 'write' ? 2 : 0;
      return {
        name: '#PF',
        code: reason | write | (access.user ? 4 : 0) | (access.kind === 'execute' ? 16 : 0),
      };
    },
  };
  return format;
}
