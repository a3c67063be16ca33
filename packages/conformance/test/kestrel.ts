import {
  type Access,
  type Configuration,
  type EntryNames,
  type Fault,
  type FaultCode,
  type Level,
  type LinuxPolicy,
  mask,
  type PageTableFormat,
  type Permissions,
  type Protection,
  protection,
  type Shape,
  toBigint,
  VmError,
  type Words,
  words,
} from '@vmarea/core';

const V = mask(0, 0);
const M = mask(1, 1);
const W = mask(2, 2);
const X = mask(3, 3);
const U = mask(4, 4);
const G = mask(5, 5);
const A = mask(6, 6);
const D = mask(7, 7);
const IO = mask(8, 8);
const SW = mask(52, 55);
/** Bits without a name. */
const RESERVED = mask(9, 11) | mask(44, 51) | mask(56, 63);

/** Entries with some bits set and some clear. The bits of `zero` must be 0. */
function shape(set: bigint, clear: bigint, zero: bigint, names: EntryNames): Shape {
  return {
    match: { mask: words(set | clear), value: words(set) },
    rules: [{ mask: words(zero), value: words(0n), must: 'equal', fault: 'reserved' }],
    names,
  };
}

const kind = [
  { name: 'V', low: 0, says: ['not valid', 'valid'] },
  { name: 'M', low: 1, says: ['points to a table', 'maps'] },
] as const;
const software = { name: 'SW', low: 52, width: 4, says: ['for software'] } as const;

const ofTable: EntryNames = {
  address: 'PFN',
  bits: [...kind, { name: 'W', low: 2, says: ['nothing below is writable', 'as the leaf says'] }, software],
};
const ofLeaf: EntryNames = {
  address: 'PFN',
  bits: [
    ...kind,
    { name: 'W', low: 2, says: ['read-only', 'writable'], tells: ['write'] },
    { name: 'X', low: 3, says: ['not executable', 'executable'], tells: ['execute'] },
    { name: 'U', low: 4, says: ['supervisor', 'user'], tells: ['user'] },
    { name: 'G', low: 5, says: ['not global', 'global'], tells: ['global'] },
    { name: 'A', low: 6, says: ['not accessed', 'accessed'], tells: ['accessed'] },
    { name: 'D', low: 7, says: ['not dirty', 'dirty'], tells: ['dirty'] },
    { name: 'IO', low: 8, says: ['memory', 'device'], tells: ['memory'] },
    { ...software, tells: ['extra'] },
  ],
};

const TABLE = shape(V, M, mask(3, 8) | RESERVED, ofTable);
const PAGE = shape(V | M, 0n, RESERVED, ofLeaf);
const BLOCK = shape(V | M, 0n, RESERVED | mask(12, 20), ofLeaf);

const levels: readonly Level[] = [
  { name: 'PGD', shift: 30, bits: 9, table: TABLE, leaf: null, run: null },
  { name: 'PMD', shift: 21, bits: 9, table: TABLE, leaf: BLOCK, run: null },
  { name: 'PTE', shift: 12, bits: 9, table: null, leaf: PAGE, run: null },
];

function encode(wanted: Protection): Words {
  if (!wanted.read)
    throw new VmError('EINVAL', 'read is false, but every mapped page is readable on Kestrel');
  if (wanted.memory !== 'normal' && wanted.memory !== 'device') {
    throw new VmError('EINVAL', `memory is ${wanted.memory}`, { advice: 'use normal or device' });
  }
  if ((wanted.extra & ~SW) !== 0n) {
    throw new VmError('EINVAL', `extra is 0x${wanted.extra.toString(16)}`, {
      advice: 'it may have bits 55:52',
    });
  }
  let bits = V | M | wanted.extra;
  if (wanted.write) bits |= W;
  if (wanted.execute) bits |= X;
  if (wanted.user) bits |= U;
  if (wanted.global) bits |= G;
  if (wanted.accessed) bits |= A;
  if (wanted.dirty) bits |= D;
  if (wanted.memory === 'device') bits |= IO;
  return words(bits);
}

function decode(leaf: Words): Protection {
  const bits = toBigint(leaf);
  return protection({
    write: (bits & W) !== 0n,
    execute: (bits & X) !== 0n,
    user: (bits & U) !== 0n,
    global: (bits & G) !== 0n,
    accessed: (bits & A) !== 0n,
    dirty: (bits & D) !== 0n,
    memory: (bits & IO) !== 0n ? 'device' : 'normal',
    extra: bits & SW,
  });
}

/** A change keeps address, accessed, dirty and software bits. */
function change(leaf: Words, wanted: Protection): Words {
  const owned = W | X | U | G | IO;
  return words((toBigint(leaf) & ~owned) | (toBigint(encode(wanted)) & owned));
}

function permissions(path: readonly Words[]): Permissions {
  const leaf = toBigint(path[path.length - 1] as Words);
  const write = path.every((entry) => (toBigint(entry) & W) !== 0n);
  const allowed = { read: true, write, execute: (leaf & X) !== 0n };
  const none = { read: false, write: false, execute: false };
  return (leaf & U) !== 0n ? { kernel: none, user: allowed } : { kernel: allowed, user: none };
}

function check(path: readonly Words[], { kind, user }: Access): Fault | null {
  const allowed = permissions(path)[user ? 'user' : 'kernel'];
  return allowed[kind] ? null : { kind: 'permission', level: path.length - 1 };
}

function touch(entry: Words, _level: number, kind: 'table' | 'leaf', access: Access): Words {
  if (kind === 'table') return entry;
  const after = toBigint(entry) | A | (access.kind === 'write' ? D : 0n);
  return after === toBigint(entry) ? entry : words(after);
}

/** Kestrel's cause: 1 not present, 2 not allowed, 3 malformed, 4 bus error. */
function faultCode({ kind }: Fault): FaultCode {
  const codes: Partial<Record<Fault['kind'], number>> = {
    ...{ address: 1, 'not-present': 1, permission: 2, reserved: 3, external: 4 },
  };
  const code = codes[kind];
  if (code === undefined) throw new VmError('EINVAL', `Kestrel raises no fault of the kind ${kind}`);
  return { name: 'cause', code };
}

export const kestrel: PageTableFormat = {
  name: 'kestrel',
  pageShift: 12,
  paBits: 44,
  range: { bits: 39, upper: 'zeros' },
  present: { mask: words(V), value: words(V) },
  levels,
  address: [{ entryBit: 12, paBit: 12, width: 32 }],
  tableEntry: words(V | W),
  memoryTypes: ['normal', 'device'],
  controls: {},
  encode,
  decode,
  change,
  relevel: (leaf) => ({ lo: leaf.lo, hi: leaf.hi }),
  needsBreak: () => false,
  permissions,
  check,
  touch,
  faultCode,
};

const data = { write: true, global: true } as const;

const policy: LinuxPolicy = {
  name: 'Linux kestrel',
  formats: ['kestrel'],
  window: { start: 0x40_0000_0000n, end: 0x50_0000_0000n },
  guardBytes: 4096,
  ioremapMaxOrder: 21,
  leaves: { vmalloc: [12, 21], vmap: [12], ioremap: [12, 21] },
  protections: {
    PAGE_KERNEL: protection(data),
    PAGE_KERNEL_RO: protection({ ...data, write: false, dirty: false }),
    PAGE_KERNEL_ROX: protection({ ...data, write: false, dirty: false, execute: true }),
    PAGE_KERNEL_EXEC: protection({ ...data, execute: true }),
    IOREMAP: protection({ ...data, memory: 'device' }),
    IOREMAP_WC: protection({ ...data, memory: 'device' }),
  },
};

export const configurations: readonly Configuration[] = [
  { name: 'kestrel', title: 'Kestrel, 3 levels, 4 KiB pages', format: kestrel, linux: policy },
];
