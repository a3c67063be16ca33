import {
  type Allowed,
  completeControls,
  type NamedBits,
  type PageTableFormat,
  type Permissions,
  type Shape,
  toBigint,
  type Words,
  words,
} from '@vmarea/core';
import type { Manual } from '../src/index.js';
import { kestrel } from './kestrel.js';

const W = 4n;
const X = 8n;
const A = 0x40n;
const D = 0x80n;

/** The manual of docs/write-a-format.md. */
export const manual: Manual = {
  breaks: [],
  tables: [{ bits: W, value: 0n, forbids: ['kernel write', 'user write'] }],
  tableUse: 0n,
  reserved: [
    { in: 'table', bits: 0xff8n },
    { in: 'leaf', bits: 0xe00n },
  ],
  faults: ['kind'],
};

const with_ = (entry: Words, bits: bigint): Words => words(toBigint(entry) | bits);
export const without = (entry: Words, bits: bigint): Words => words(toBigint(entry) & ~bits);

/** The entries of a walk, its tables as they are first written. */
const open = (path: readonly Words[]): Words[] =>
  path.map((entry, i) => (i < path.length - 1 ? kestrel.tableEntry : entry));

const CONTROLS = Object.freeze({ isBarred: false });
const isBarred = (controls: object): boolean => completeControls(CONTROLS, controls, 'kestrel').isBarred;

/** A processor with a mode in which user mode may not use the root. */
export const barring: Partial<PageTableFormat> = {
  controls: CONTROLS,
  checkRoot: (access, controls) => (isBarred(controls) && access.user ? { kind: 'address', level: 0 } : null),
  check: (path, access, controls) =>
    isBarred(controls) && access.user ? { kind: 'address', level: 0 } : kestrel.check(path, access, {}),
  permissions: (path, controls) => {
    const allowed = kestrel.permissions(path, {});
    const none = { read: false, write: false, execute: false };
    return isBarred(controls) ? { ...allowed, user: none } : allowed;
  },
  touch: (entry, level, kind, access, controls) => {
    isBarred(controls);
    return kestrel.touch(entry, level, kind, access, {});
  },
  faultCode: (fault, access, controls) => {
    isBarred(controls);
    return kestrel.faultCode(fault, access, {});
  },
};

/** A processor that takes a right away under some condition that `encode` does not know. */
function taking(takes: (allowed: Allowed) => Partial<Allowed>): Partial<PageTableFormat> {
  const permissions = (path: readonly Words[]): Permissions => {
    const { kernel, user } = kestrel.permissions(path, {});
    return { kernel: { ...kernel, ...takes(kernel) }, user: { ...user, ...takes(user) } };
  };
  return {
    permissions,
    check: (path, { kind, user }) =>
      permissions(path)[user ? 'user' : 'kernel'][kind]
        ? null
        : { kind: 'permission', level: path.length - 1 },
  };
}

/** What a control says, whatever else is there. */
const said = (controls: object): boolean => (controls as { isBarred?: boolean }).isBarred === true;
const ADDRESS = { kind: 'address', level: 0 } as const;
const ON = { isBarred: true };

let questions = 0;

/** The format with other names of its bits. */
function naming(change: (bits: readonly NamedBits[]) => readonly NamedBits[]): Partial<PageTableFormat> {
  const renamed = (shape: Shape | null): Shape | null =>
    shape?.names === undefined
      ? shape
      : { ...shape, names: { ...shape.names, bits: change(shape.names.bits) } };
  return {
    levels: kestrel.levels.map((level) => ({
      ...level,
      table: renamed(level.table),
      leaf: renamed(level.leaf),
    })),
  };
}

/** One fault each, and the group that must see it. */
export const FAULTS: readonly [what: string, group: string, broken: Partial<PageTableFormat>][] = [
  ['encode forgets user', 'protections', { encode: (p, l) => kestrel.encode({ ...p, user: false }, l) }],
  ['encode gives address bits', 'protections', { encode: (p, l) => with_(kestrel.encode(p, l), 1n << 21n) }],
  [
    'encode forgets the memory type',
    'protections',
    { encode: (p, l) => without(kestrel.encode(p, l), 0x100n) },
  ],
  [
    'decode has execute the other way',
    'protections',
    { decode: (w, l) => kestrel.decode(words(toBigint(w) ^ 8n), l) },
  ],
  [
    'decode takes dirty from another bit',
    'protections',
    { decode: (w, l) => ({ ...kestrel.decode(w, l), dirty: (w.lo & 0x40) !== 0 }) },
  ],
  ['change loses dirty', 'protections', { change: (w, p, l) => without(kestrel.change(w, p, l), D) }],
  [
    'change does not take write away',
    'protections',
    { change: (w, p, l) => with_(kestrel.change(w, p, l), toBigint(w) & W) },
  ],
  [
    'change loses software bits',
    'survival',
    { change: (w, p, l) => without(kestrel.change(w, p, l), 0xfn << 52n) },
  ],
  ['encode loses software bits', 'survival', { encode: (p, l) => kestrel.encode({ ...p, extra: 0n }, l) }],
  ['a split gives write back', 'random', { relevel: (w, from, to) => (to > from ? with_(w, W) : w) }],
  ['a break is needed every second time', 'counters', { needsBreak: () => questions++ % 2 === 0 }],
  ['relevel loses software bits', 'survival', { relevel: (w) => without(w, 0xfn << 52n) }],
  ['relevel loses global', 'protections', { relevel: (w) => without(w, 0x20n) }],
  [
    'the user may use pages of the kernel',
    'permissions',
    {
      permissions: (path) => ({
        ...kestrel.permissions(path, {}),
        user: kestrel.permissions(path, {}).kernel,
      }),
    },
  ],
  [
    'check lets every write through',
    'permissions',
    { check: (path, access) => (access.kind === 'write' ? null : kestrel.check(path, access, {})) },
  ],
  [
    'a fault without a code',
    'permissions',
    {
      faultCode: () => {
        throw new Error('no code');
      },
    },
  ],
  [
    'touch gives write',
    'accessed-dirty',
    { touch: (w, l, kind, access) => with_(kestrel.touch(w, l, kind, access, {}), W) },
  ],
  [
    'touch forgets dirty',
    'accessed-dirty',
    { touch: (w, l, kind, access) => kestrel.touch(w, l, kind, { ...access, kind: 'read' }, {}) },
  ],
  ['a change of rights needs a break, by the format alone', 'breaks', { needsBreak: () => true }],
  [
    'tables forbid nothing',
    'permissions',
    {
      permissions: (path) => kestrel.permissions(open(path), {}),
      check: (path, access) => kestrel.check(open(path), access, {}),
    },
  ],
  [
    'an ignored bit of a table forbids',
    'permissions',
    {
      levels: kestrel.levels.map((level) => ({
        ...level,
        table: level.table && { ...level.table, rules: [] },
      })),
      permissions: (path) => {
        const allowed = kestrel.permissions(path, {});
        const isBarred = path.slice(0, -1).some((entry) => (entry.lo & 0x200) !== 0);
        return isBarred ? { ...allowed, kernel: allowed.user } : allowed;
      },
    },
  ],
  ['table entries forbid writes', 'cuts', { tableEntry: words(1n) }],
  ['table entries forbid what encode takes', 'permissions', { tableEntry: words(1n) }],
  [
    'smaller leaves are not executable',
    'cuts',
    { relevel: (w, from, to) => (to > from ? without(w, X) : w) },
  ],
  [
    'the smaller leaves of a read-only block are writable',
    'cuts',
    { relevel: (w, from, to) => (to > from ? with_(w, W) : w) },
  ],
  [
    'pages of a block belong to the user',
    'cuts',
    {
      relevel: (w, from, to) => (to > from ? with_(w, 0x10n) : w),
      decode: (w, l) => ({ ...kestrel.decode(w, l), user: false }),
    },
  ],
  [
    'encode takes writable text that no walk executes',
    'permissions',
    taking(({ write }) => (write ? { execute: false } : {})),
  ],
  [
    'encode takes writable text that no walk writes',
    'permissions',
    taking(({ execute }) => (execute ? { write: false } : {})),
  ],
  ['a root that may not be used, without checkRoot', 'permissions', { ...barring, checkRoot: () => null }],
  [
    'a control that is not known is ignored',
    'controls',
    { ...barring, checkRoot: (access, controls) => (said(controls) && access.user ? ADDRESS : null) },
  ],
  [
    'a control that is absent counts as on',
    'controls',
    {
      ...barring,
      permissions: (path, controls) => barring.permissions?.(path, { ...ON, ...controls }) as never,
    },
  ],
  [
    'touch does not look at controls',
    'controls',
    { ...barring, touch: (w, l, kind, access) => kestrel.touch(w, l, kind, access, {}) },
  ],
  [
    'all rules are dropped',
    'faults',
    {
      levels: kestrel.levels.map(({ table, leaf, ...level }) => ({
        ...{ ...level, table: table && { ...table, rules: [] }, leaf: leaf && { ...leaf, rules: [] } },
      })),
    },
  ],
  [
    'no bit has a name',
    'descriptions',
    {
      levels: kestrel.levels.map(({ table, leaf, ...level }) => ({
        ...level,
        table: table && { match: table.match, rules: table.rules },
        leaf: leaf && { match: leaf.match, rules: leaf.rules },
      })),
    },
  ],
  [
    'the bit that tells leaves from tables has no name',
    'descriptions',
    naming((bits) => bits.filter(({ name }) => name !== 'M')),
  ],
  [
    'two names share a bit',
    'descriptions',
    naming((bits) => [...bits, { name: 'W2', low: 2, says: ['writable'] }]),
  ],
  [
    'a name covers a bit of the address',
    'descriptions',
    naming((bits) => [...bits, { name: 'F', low: 43, says: ['far'] }]),
  ],
  [
    'the names of W and X are exchanged',
    'descriptions',
    naming((bits) =>
      bits.map((one) => (one.low === 2 || one.low === 3 ? { ...one, low: 5 - one.low } : one)),
    ),
  ],
  ['the user bit has no name', 'descriptions', naming((bits) => bits.filter(({ name }) => name !== 'U'))],
  [
    'a reserved bit is called ignored',
    'descriptions',
    naming((bits) => [...bits, { name: 'ignored', low: 9, says: ['nothing'] }]),
  ],
  [
    'a bit has a name without a meaning',
    'descriptions',
    naming((bits) => bits.map((one) => (one.name === 'V' ? { ...one, says: ['', ''] } : one))),
  ],
  ['every fault has the same number', 'faults', { faultCode: () => ({ name: 'cause', code: 2 }) }],
  [
    'the number of a fault tells the level, by the format alone',
    'faults',
    {
      faultCode: (fault, access) => ({
        name: 'cause',
        code: 9 * fault.level + kestrel.faultCode(fault, access, {}).code,
      }),
    },
  ],
  [
    'touch makes nothing of a table',
    'accessed-dirty',
    { touch: (w, l, kind, access) => (kind === 'table' ? words(0n) : kestrel.touch(w, l, kind, access, {})) },
  ],
  [
    'touch takes write from a table',
    'accessed-dirty',
    {
      touch: (w, l, kind, access) =>
        kind === 'table' ? without(w, W) : kestrel.touch(w, l, kind, access, {}),
    },
  ],
  [
    'touch makes a page dirty that was read',
    'accessed-dirty',
    {
      touch: (w, _level, kind) =>
        kind === 'table' || (toBigint(w) & (A | D)) === (A | D) ? w : with_(w, A | D),
    },
  ],
  [
    'touch makes a new object of what it does not change',
    'accessed-dirty',
    { touch: (w, l, kind, access) => ({ ...kestrel.touch(w, l, kind, access, {}) }) },
  ],
];
