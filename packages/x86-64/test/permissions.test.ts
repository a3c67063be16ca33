import { type Access, type Words, words } from '@vmarea/core';
import { pathOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { X8664_CONTROLS, type X8664Controls, x8664 } from '../src/index.js';

const format = x8664();
const US = 4n;
const RW = 2n;
const XD = 1n << 63n;

const accesses: Access[] = (['read', 'write', 'execute'] as const).flatMap((kind) => [
  { kind, user: false },
  { kind, user: true },
]);

/** A page in the terms of the manual. */
interface Page {
  /** "user-mode address": U/S is 1 in every entry. */
  userMode: boolean;
  /** R/W is 1 in every entry. */
  writable: boolean;
  /** XD is 1 in some entry. */
  noFetch: boolean;
  /** Access-disable and write-disable of its key in PKRU and in PKRS. */
  pkru: { ad: boolean; wd: boolean };
  pkrs: { ad: boolean; wd: boolean };
}

/** True when an access is allowed: the manual's list "Determination of Access Rights", item by item. */
function manualAllows(page: Page, access: Access, c: X8664Controls): boolean {
  const keyPermitsRead = page.userMode ? !(c.pke && page.pkru.ad) : !(c.pks && page.pkrs.ad);
  const keyPermitsWrite = (byUser: boolean): boolean => {
    if (!keyPermitsRead) return false;
    const wd = page.userMode ? c.pke && page.pkru.wd : c.pks && page.pkrs.wd;
    return !(wd && (byUser || c.wp));
  };
  if (!access.user) {
    switch (access.kind) {
      case 'read':
        if (!page.userMode) return keyPermitsRead;
        if (!c.smap) return keyPermitsRead;
        return c.ac ? keyPermitsRead : false;
      case 'write':
        if (!c.wp) {
          if (!page.userMode) return keyPermitsWrite(false);
          if (!c.smap) return keyPermitsWrite(false);
          return c.ac ? keyPermitsWrite(false) : false;
        }
        if (!page.userMode) return page.writable && keyPermitsWrite(false);
        if (!c.smap) return page.writable && keyPermitsWrite(false);
        return c.ac ? page.writable && keyPermitsWrite(false) : false;
      case 'execute':
        if (!page.userMode) return !page.noFetch;
        return c.smep ? false : !page.noFetch;
    }
  }
  if (!page.userMode) return false;
  switch (access.kind) {
    case 'read':
      return keyPermitsRead;
    case 'write':
      return page.writable && keyPermitsWrite(true);
    case 'execute':
      return !page.noFetch;
  }
}

/** The manual's description of the PK flag under "Page-Fault Exceptions". */
function manualPk(page: Page, access: Access, c: X8664Controls): boolean {
  if (access.kind === 'execute') return false;
  if (page.userMode) {
    if (!c.pke) return false;
    return page.pkru.ad || (page.pkru.wd && access.kind === 'write' && (c.wp || access.user));
  }
  if (!c.pks || access.user) return false;
  return page.pkrs.ad || (page.pkrs.wd && access.kind === 'write' && c.wp);
}

function compare(path: Words[], page: Page, controls: X8664Controls): void {
  const permissions = format.permissions(path, controls);
  for (const access of accesses) {
    const allowed = manualAllows(page, access, controls);
    const fault = format.check(path, access, controls);
    const side = access.user ? permissions.user : permissions.kernel;
    const expected = allowed ? null : manualPk(page, access, controls) ? 'protection-key' : 'permission';
    // `expect` for each of half a million cases would take minutes.
    if ((fault?.kind ?? null) !== expected || side[access.kind] !== allowed) {
      expect({ page, access, controls, fault: fault?.kind ?? null, permitted: side[access.kind] }).toEqual({
        page,
        access,
        controls,
        fault: expected,
        permitted: allowed,
      });
    }
  }
}

const none = { ad: false, wd: false };

describe('permissions and check agree with the manual', () => {
  test('for every U/S, R/W and XD on four levels, under every WP, SMEP, SMAP and AC', () => {
    let paths = 0;
    for (let flags = 0; flags < 1 << 12; flags++) {
      const at = (level: number, group: number): boolean => ((flags >> (3 * level + group)) & 1) === 1;
      const levels = [0, 1, 2, 3];
      const entries = levels.map(
        (level) => 1n | (at(level, 0) ? US : 0n) | (at(level, 1) ? RW : 0n) | (at(level, 2) ? XD : 0n),
      );
      const page: Page = {
        userMode: levels.every((level) => at(level, 0)),
        writable: levels.every((level) => at(level, 1)),
        noFetch: levels.some((level) => at(level, 2)),
        pkru: none,
        pkrs: none,
      };
      const path = pathOf(...entries);
      for (let modes = 0; modes < 16; modes++) {
        compare(path, page, {
          ...X8664_CONTROLS,
          wp: (modes & 1) !== 0,
          smep: (modes & 2) !== 0,
          smap: (modes & 4) !== 0,
          ac: (modes & 8) !== 0,
          pke: false,
        });
      }
      paths++;
    }
    expect(paths).toBe(4096);
  });

  test.each([0, 1, 7, 15])('for key %i with every right in PKRU and PKRS, under every mode', (key) => {
    let cases = 0;
    for (let flags = 0; flags < 8; flags++) {
      const entry =
        1n | (flags & 1 ? US : 0n) | (flags & 2 ? RW : 0n) | (flags & 4 ? XD : 0n) | (BigInt(key) << 59n);
      // The key of a table entry is ignored.
      const path = pathOf(0x067n | (BigInt(key ^ 15) << 59n), 0x067n, 0x067n, entry);
      for (let rights = 0; rights < 16; rights++) {
        const page: Page = {
          userMode: (flags & 1) !== 0,
          writable: (flags & 2) !== 0,
          noFetch: (flags & 4) !== 0,
          pkru: { ad: (rights & 1) !== 0, wd: (rights & 2) !== 0 },
          pkrs: { ad: (rights & 4) !== 0, wd: (rights & 8) !== 0 },
        };
        // All other keys have the opposite rights, so that a wrong key shows.
        const register = (own: number): number => {
          const others = own ^ 3;
          let bits = 0;
          for (let k = 0; k < 16; k++) bits += (k === key ? own : others) * 4 ** k;
          return bits;
        };
        for (let modes = 0; modes < 64; modes++) {
          compare(path, page, {
            ...X8664_CONTROLS,
            wp: (modes & 1) !== 0,
            smep: (modes & 2) !== 0,
            smap: (modes & 4) !== 0,
            ac: (modes & 8) !== 0,
            pke: (modes & 16) !== 0,
            pks: (modes & 32) !== 0,
            pkru: register(rights & 3),
            pkrs: register(rights >> 2),
          });
          cases++;
        }
      }
    }
    expect(cases).toBe(8 * 16 * 64);
  });

  test('in that PGE and G change no right', () => {
    const path = pathOf(0x167n, 0x167n, 0x167n, 0x163n);
    const without = pathOf(0x067n, 0x067n, 0x067n, 0x063n);
    for (const pge of [false, true]) {
      const controls = { ...X8664_CONTROLS, pge };
      expect(format.permissions(path, controls)).toEqual(format.permissions(without, controls));
    }
  });
});

describe('the level of a fault', () => {
  const open = 0x067n;
  test.each([
    ['U/S clear in the PUD', [open, 0x063n, 0x063n, 0x065n], { kind: 'read', user: true }, 1],
    ['R/W clear in the PMD', [open, open, 0x065n, 0x065n], { kind: 'write', user: true }, 2],
    ['XD in the PGD', [open | XD, open, open, open], { kind: 'execute', user: true }, 0],
    ['R/W clear in the leaf', [open, open, open, 0x065n], { kind: 'write', user: true }, 3],
    ['R/W clear in a 2 MiB leaf', [open, open, 0x0e5n], { kind: 'write', user: true }, 2],
    ['SMAP: all levels together', [open, open, open, open], { kind: 'read', user: false }, 3],
    ['SMEP: all levels together', [open, open, open, open], { kind: 'execute', user: false }, 3],
    ['key 1', [open, open, open, open | (1n << 59n)], { kind: 'read', user: true }, 3],
    [
      'SMAP alone where WP=0 lets a clear R/W through',
      [open, open, 0x065n, open],
      { kind: 'write', user: false },
      3,
      { wp: false },
    ],
    ['SMAP and R/W clear in the PMD', [open, open, 0x065n, open], { kind: 'write', user: false }, 2],
  ] as [string, bigint[], Access, number, Partial<X8664Controls>?][])(
    '%s',
    (_, entries, access, level, change) => {
      const controls = { ...X8664_CONTROLS, ...change };
      expect(format.check(pathOf(...entries), access, controls)).toMatchObject({ level });
    },
  );
});

test('the default controls are those of a current Linux kernel', () => {
  expect(format.controls).toEqual({
    wp: true,
    pge: true,
    smep: true,
    smap: true,
    ac: false,
    pke: true,
    pkru: 0x55555554,
    pks: false,
    pkrs: 0,
  });
});

test('a leaf with G is global for all address spaces, only with CR4.PGE; G in a table does not count', () => {
  const [global, own] = [words(0x163n), words(0x63n)];
  const isGlobal = (path: Words[], pge: boolean) => format.isGlobal?.(path, { ...X8664_CONTROLS, pge });
  expect([isGlobal([own, own, own, global], true), isGlobal([own, own, own, global], false)]).toEqual([
    true,
    false,
  ]);
  expect([isGlobal([global, global, global, own], true), isGlobal([own], true)]).toEqual([false, false]);
});
