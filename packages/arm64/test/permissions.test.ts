import type { Access, Words } from '@vmarea/core';
import { hex, pathOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { ARM64_CONTROLS, type Arm64Controls, arm64, withoutTag } from '../src/index.js';

const format = arm64({ granule: 4, vaBits: 48 });
const PXN = 1n << 53n;
const UXN = 1n << 54n;
const DBM = 1n << 51n;

const accesses: Access[] = (['read', 'write', 'execute'] as const).flatMap((kind) => [
  { kind, user: false },
  { kind, user: true },
]);

/** A page in the terms of the manual's tables: the leaf's fields, and the combined fields of all table entries above it. */
interface Page {
  ap: number;
  pxn: boolean;
  uxn: boolean;
  dbm: boolean;
  apTable: number;
  pxnTable: boolean;
  uxnTable: boolean;
}

/** Rows of the manual's tables for AP[2:1] and APTable[1:0]: EL1 read, EL1 write, EL0 read, EL0 write. */
const AP: Record<number, string> = { 0: 'rw--', 1: 'rwrw', 2: 'r---', 3: 'r-r-' };
const AP_TABLE: Record<number, string> = { 0: 'rwrw', 1: 'rw--', 2: 'r-r-', 3: 'r---' };

function manualAllows(page: Page, access: Access, c: Arm64Controls): boolean {
  if (c.e0pd && access.user) return false;
  // A writable-clean page is writable: the hardware will make it dirty.
  const ap = page.dbm && c.ha && c.hd ? page.ap & 0b01 : page.ap;
  const tables = c.hpd ? 'rwrw' : (AP_TABLE[page.apTable] as string);
  const [r1, w1, r0, w0] = [0, 1, 2, 3].map((i) => AP[ap]?.[i] !== '-' && tables[i] !== '-') as [
    boolean,
    boolean,
    boolean,
    boolean,
  ];
  const x1 = !(page.pxn || (!c.hpd && page.pxnTable)) && !w0 && !(c.wxn && w1);
  const x0 = !(page.uxn || (!c.hpd && page.uxnTable)) && !(c.wxn && w0);
  if (access.user) return { read: r0, write: w0, execute: x0 }[access.kind];
  if (access.kind === 'execute') return x1;
  if (c.pan && (r0 || (c.epan && x0))) return false;
  return access.kind === 'read' ? r1 : w1;
}

const bit = (flags: number, at: number): boolean => ((flags >> at) & 1) === 1;

function pathFor(page: Page, spread: number): Words[] {
  const leaf =
    0x403n | (BigInt(page.ap) << 6n) | (page.pxn ? PXN : 0n) | (page.uxn ? UXN : 0n) | (page.dbm ? DBM : 0n);
  const tables = [0x403n, 0x403n, 0x403n];
  // Each of the four hierarchical bits is at another level, so that the test covers all levels.
  const put = (isSet: boolean, at: bigint, level: number) => {
    if (isSet) tables[level % 3] = (tables[level % 3] as bigint) | (1n << at);
  };
  put(page.pxnTable, 59n, spread);
  put(page.uxnTable, 60n, spread + 1);
  put(bit(page.apTable, 0), 61n, spread + 2);
  put(bit(page.apTable, 1), 62n, spread);
  return pathOf(...tables, leaf);
}

describe('permissions agree with the manual', () => {
  test('for every field of leaf and tables, under every mode', () => {
    let cases = 0;
    for (let flags = 0; flags < 512; flags++) {
      const page: Page = {
        ap: flags & 3,
        pxn: bit(flags, 2),
        uxn: bit(flags, 3),
        dbm: bit(flags, 4),
        apTable: (flags >> 5) & 3,
        pxnTable: bit(flags, 7),
        uxnTable: bit(flags, 8),
      };
      const path = pathFor(page, flags);
      for (let modes = 0; modes < 128; modes++) {
        const controls: Arm64Controls = {
          ...ARM64_CONTROLS,
          ha: bit(modes, 0),
          hd: bit(modes, 1),
          wxn: bit(modes, 2),
          pan: bit(modes, 3),
          epan: bit(modes, 4),
          hpd: bit(modes, 5),
          e0pd: bit(modes, 6),
        };
        const permissions = format.permissions(path, controls);
        for (const access of accesses) {
          const allowed = manualAllows(page, access, controls);
          const fault = format.check(path, access, controls);
          const side = access.user ? permissions.user : permissions.kernel;
          // `expect` for every one of 400,000 cases would take minutes.
          if ((fault === null) !== allowed || side[access.kind] !== allowed) {
            expect({ page, access, controls, fault, permitted: side[access.kind] }).toEqual(allowed);
          }
          cases++;
        }
      }
    }
    expect(cases).toBe(512 * 128 * 6);
  });

  test('in that TBI and TBID change no permission', () => {
    const path = pathOf(0x403n, 0x403n, 0x403n, 0x6c3n);
    const tagged = { ...ARM64_CONTROLS, tbi: true, tbid: true };
    expect(format.permissions(path, tagged)).toEqual(format.permissions(path, ARM64_CONTROLS));
  });

  test('for a leaf without tables above it', () => {
    const single = arm64({ granule: 64, vaBits: 29 });
    const path = pathOf(0x0040000000000743n);
    expect(single.permissions(path, ARM64_CONTROLS)).toEqual({
      kernel: { read: false, write: false, execute: false },
      user: { read: true, write: true, execute: false },
    });
  });
});

describe('faults of a mapped page', () => {
  const tables = [0x403n, 0x403n, 0x403n];
  const off = { ...ARM64_CONTROLS, ha: false, hd: false };

  test('without HA a clear access flag faults before the permissions do', () => {
    const path = pathOf(...tables, 0x0060000000000383n);
    for (const access of accesses) {
      expect(format.check(path, access, off)).toEqual({ kind: 'access-flag', level: 3 });
    }
    expect(format.check(path, { kind: 'read', user: false }, ARM64_CONTROLS)).toBeNull();
    expect(format.check(path, { kind: 'write', user: false }, ARM64_CONTROLS)).toEqual({
      kind: 'permission',
      level: 3,
    });
  });

  test('a Permission fault has the level of the leaf, even when a table forbids', () => {
    const path = pathOf(0x4000000000000403n, 0x403n, 0x0068000000000741n);
    expect(format.check(path, { kind: 'write', user: true }, ARM64_CONTROLS)).toEqual({
      kind: 'permission',
      level: 2,
    });
  });

  test('with E0PD every access by the user faults as outside the range', () => {
    const path = pathOf(...tables, 0x0000000000000343n);
    const e0pd = { ...off, e0pd: true };
    expect(format.checkRoot?.({ kind: 'read', user: true }, e0pd)).toEqual({ kind: 'address', level: 0 });
    expect(format.checkRoot?.({ kind: 'read', user: false }, e0pd)).toBeNull();
    expect(format.checkRoot?.({ kind: 'read', user: true }, off)).toBeNull();
    expect(format.check(path, { kind: 'read', user: true }, e0pd)).toEqual({ kind: 'address', level: 0 });
    expect(format.check(path, { kind: 'execute', user: false }, e0pd)).toEqual({
      kind: 'access-flag',
      level: 3,
    });
  });
});

describe('touch', () => {
  const touch = (entry: bigint, kind: Access['kind'], change: Partial<Arm64Controls> = {}) =>
    hex(
      format.touch(
        pathOf(entry)[0] as Words,
        3,
        'leaf',
        { kind, user: false },
        { ...ARM64_CONTROLS, ...change },
      ),
    );

  test('sets AF on any access with HA', () => {
    expect(touch(0x0068000000000383n, 'read')).toBe('0x0068000000000783');
    expect(touch(0x0040000000000383n, 'execute')).toBe('0x0040000000000783');
    expect(touch(0x0068000000000383n, 'read', { ha: false, hd: false })).toBe('0x0068000000000383');
  });

  test('clears AP[2] on a write if DBM is set, with HA and HD', () => {
    expect(touch(0x0068000000000783n, 'write')).toBe('0x0068000000000703');
    expect(touch(0x0068000000000383n, 'write')).toBe('0x0068000000000703');
    expect(touch(0x0060000000000783n, 'write')).toBe('0x0060000000000783');
    expect(touch(0x0068000000000783n, 'read')).toBe('0x0068000000000783');
    expect(touch(0x0068000000000783n, 'write', { hd: false })).toBe('0x0068000000000783');
    expect(touch(0x0068000000000783n, 'write', { ha: false })).toBe('0x0068000000000783');
  });

  test('changes no table entry, and returns the same object without a change', () => {
    const [table, leaf] = pathOf(0x3n, 0x0068000000000703n) as [Words, Words];
    const access: Access = { kind: 'write', user: false };
    expect(format.touch(table, 0, 'table', access, ARM64_CONTROLS)).toBe(table);
    expect(format.touch(leaf, 3, 'leaf', access, ARM64_CONTROLS)).toBe(leaf);
  });
});

describe('tags', () => {
  const tbi = { tbi: true, tbid: false };
  test.each([
    [0x3c00000000400000n, tbi, 'read', 0x400000n],
    [0x3cff800000001000n, tbi, 'write', 0xffff800000001000n],
    // Bit 55 alone selects the half; bit 54 stays.
    [0x3c40000000001000n, tbi, 'read', 0x0040000000001000n],
    [0x3cbf800000001000n, tbi, 'read', 0xffbf800000001000n],
    [0x3c00000000400000n, { tbi: false, tbid: false }, 'read', 0x3c00000000400000n],
    [0x3c00000000400000n, { tbi: true, tbid: true }, 'execute', 0x3c00000000400000n],
    [0x3c00000000400000n, { tbi: true, tbid: true }, 'read', 0x400000n],
    [0x3c00000000400000n, tbi, 'execute', 0x400000n],
  ] as const)('%s under %o, %s', (address, controls, kind, expected) => {
    expect(hex(withoutTag(address, controls, kind))).toBe(hex(expected));
  });
});

test('a walk without controls uses those of Linux on an Armv8.1 processor', () => {
  expect(format.controls).toEqual({
    ha: true,
    hd: true,
    wxn: false,
    pan: true,
    epan: false,
    hpd: false,
    e0pd: false,
    tbi: false,
    tbid: false,
    poe: false,
    porEl1: 7,
    e0poe: false,
    porEl0: 7,
  });
});
