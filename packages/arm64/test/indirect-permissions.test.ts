import type { Access, Words } from '@vmarea/core';
import { hex, pathOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { ARM64_CONTROLS, type Arm64Controls, arm64, LINUX_PIR, LINUX_PIRE0 } from '../src/index.js';
import { accesses, type Letter, letterOf, OVERLAY } from './manual-overlays.js';

/** The manual's table "Determination of stage 1 Base permissions and Overlay application": what a value allows, and its overlay. */
const BASE: readonly (readonly [allowed: string, overlay: 'Yes' | 'No'])[] = [
  ['', 'Yes'],
  ['R', 'Yes'],
  ['X', 'Yes'],
  ['R X', 'Yes'],
  ['', 'Yes'],
  ['R W', 'Yes'],
  ['R W X', 'Yes'],
  ['R W X', 'Yes'],
  ['R', 'No'],
  ['R GCS', 'No'],
  ['R X', 'No'],
  ['', 'No'],
  ['R W', 'No'],
  ['', 'No'],
  ['R W X', 'No'],
  ['', 'No'],
];
/** RVFPJF: each value of the first with each value of the second removes all permissions. */
const PRIV_UNSAFE = [0b0010, 0b0011, 0b0110, 0b0111, 0b1001, 0b1010, 0b1110];
const UNPRIV_UNSAFE = [0b0101, 0b0110, 0b0111, 0b1001, 0b1100, 0b1110];
/** Values of PIRE0 that PAN does not see: no access, and the reserved ones. */
const UNSEEN_BY_PAN = [0b0000, 0b0100, 0b1011, 0b1101, 0b1111];

interface Page {
  readonly priv: number;
  readonly unpriv: number;
  readonly nDirty: boolean;
  /** Values of POR_EL1 and POR_EL0 at the leaf's POIndex. */
  readonly overlays: readonly [number, number];
}

function manualAllows({ priv, unpriv, nDirty, overlays }: Page, access: Access, c: Arm64Controls): boolean {
  const value = access.user ? unpriv : priv;
  const [allowed, overlayApplied] = BASE[value] as (typeof BASE)[number];
  let base = new Set(allowed.split(' '));
  if (PRIV_UNSAFE.includes(priv) && UNPRIV_UNSAFE.includes(unpriv)) base = new Set();
  const overlay = new Set(OVERLAY[overlays[access.user ? 1 : 0]]);
  const isOverlaid = overlayApplied === 'Yes' && (access.user ? c.e0poe : c.poe);
  // PrivWXN and UnprivWXN.
  if (value === 0b0110) {
    if (!isOverlaid && base.has('W')) base.delete('X');
    if (isOverlaid && overlay.has('X')) overlay.delete('W');
  }
  if (!access.user && c.pan && !UNSEEN_BY_PAN.includes(unpriv))
    for (const data of ['R', 'W']) base.delete(data);
  const letter: Letter = letterOf(access);
  if (letter === 'W' && nDirty && !(c.ha && c.hd)) return false;
  return base.has(letter) && (!isOverlaid || overlay.has(letter));
}

/** A page with an index and an overlay index, below tables that would forbid everything. */
function pathFor(index: number, nDirty: boolean, poIndex: number): Words[] {
  const bits = BigInt(index);
  const leaf =
    0x703n |
    ((bits & 1n) << 6n) |
    (((bits >> 1n) & 1n) << 51n) |
    (((bits >> 2n) & 3n) << 53n) |
    (nDirty ? 0x80n : 0n) |
    (BigInt(poIndex) << 60n);
  const table = 0x7800000000000003n;
  return pathOf(table, table, table, leaf);
}

/** Each nibble `n` is `n` turned by `turn`. */
function turned(turn: number): bigint {
  let register = 0n;
  for (let index = 0; index < 16; index++) register |= BigInt((index + turn) & 15) << BigInt(4 * index);
  return register;
}

/** Dirty, clean with hardware that manages it, clean with hardware that sets the access flag alone. */
const STATES = [
  { nDirty: false, ha: false, hd: false },
  { nDirty: true, ha: true, hd: true },
  { nDirty: true, ha: true, hd: false },
];

describe('indirect permissions agree with the manual', () => {
  const options = { granule: 4, vaBits: 48, pir: turned(0) } as const;

  test.each(Array.from({ length: 16 }, (_, turn) => turn))(
    'for every value of PIR_EL1 with that of PIRE0_EL1 %i further, and every overlay',
    (turn) => {
      const format = arm64({ ...options, pire0: turned(turn) });
      let cases = 0;
      for (let index = 0; index < 16; index++) {
        for (let modes = 0; modes < 8; modes++) {
          const [pan, poe, e0poe] = [(modes & 1) !== 0, (modes & 2) !== 0, (modes & 4) !== 0];
          for (let value = 0; value < (poe || e0poe ? 16 : 1); value++) {
            const poIndex = (index + value) & 7;
            const overlays = [value, (5 * value + 3) & 15] as const;
            const [porEl1, porEl0] = overlays.map((one) => (one << (4 * poIndex)) >>> 0) as [number, number];
            for (const { nDirty, ha, hd } of STATES) {
              const page: Page = { priv: index, unpriv: (index + turn) & 15, nDirty, overlays };
              const controls = { ...ARM64_CONTROLS, ha, hd, pan, poe, e0poe, porEl1, porEl0 };
              const path = pathFor(index, nDirty, poIndex);
              const permissions = format.permissions(path, controls);
              for (const access of accesses) {
                const allowed = manualAllows(page, access, controls);
                const fault = format.check(path, access, controls);
                const permitted = permissions[access.user ? 'user' : 'kernel'][access.kind];
                if ((fault === null) !== allowed || permitted !== allowed)
                  expect({ page, access, controls, fault, permitted }).toEqual(allowed);
                if (fault !== null && (fault.kind !== 'permission' || fault.level !== 3))
                  expect(fault).toEqual({ kind: 'permission', level: 3 });
                cases++;
              }
            }
          }
        }
      }
      expect(cases).toBe(16 * 2 * (1 + 3 * 16) * 3 * 6);
    },
  );

  test('whatever WXN, EPAN and HPD are', () => {
    const format = arm64({ ...options, pire0: turned(3) });
    for (let index = 0; index < 16; index++) {
      const path = pathFor(index, false, 0);
      const plain = format.permissions(path, ARM64_CONTROLS);
      for (const change of [{ wxn: true }, { epan: true }, { hpd: true }])
        expect([index, change, format.permissions(path, { ...ARM64_CONTROLS, ...change })]).toEqual([
          ...[index, change, plain],
        ]);
    }
  });

  test('with E0PD the user may do nothing', () => {
    const format = arm64({ ...options, pir: 0n, pire0: ((1n << 64n) / 15n) * 7n });
    const path = pathFor(4, false, 0);
    const e0pd = { ...ARM64_CONTROLS, e0pd: true };
    expect(format.permissions(path, ARM64_CONTROLS).user.read).toBe(true);
    expect(format.permissions(path, e0pd).user).toEqual({ read: false, write: false, execute: false });
    expect(format.check(path, { kind: 'read', user: true }, e0pd)).toEqual({ kind: 'address', level: 0 });
  });
});

describe('the dirty state with PIE', () => {
  const format = arm64({ granule: 4, vaBits: 48, pir: LINUX_PIR, pire0: LINUX_PIRE0 });
  const write: Access = { kind: 'write', user: false };
  const touch = (entry: bigint, change: Partial<Arm64Controls> = {}, access = write) =>
    hex(format.touch(pathOf(entry)[0] as Words, 3, 'leaf', access, { ...ARM64_CONTROLS, ...change }));

  test('a write clears nDirty with HA and HD, whatever the index is', () => {
    expect(touch(0x0068000000000783n)).toBe('0x0068000000000703');
    expect(touch(0x0068000000000383n)).toBe('0x0068000000000703');
    // DBM is a bit of the index: an index without it may be writable, too.
    const other = arm64({ granule: 4, vaBits: 48, pir: 0xcn << 48n, pire0: 0n });
    const leaf = pathOf(0x0060000000000783n)[0] as Words;
    expect(other.check([leaf], write, ARM64_CONTROLS)).toBeNull();
    expect(hex(other.touch(leaf, 3, 'leaf', write, ARM64_CONTROLS))).toBe('0x0060000000000703');
  });

  test('nothing else does', () => {
    expect(touch(0x0068000000000783n, {}, { kind: 'read', user: false })).toBe('0x0068000000000783');
    expect(touch(0x0068000000000783n, { hd: false })).toBe('0x0068000000000783');
    expect(touch(0x0068000000000783n, { ha: false })).toBe('0x0068000000000783');
  });

  test('a clear access flag faults before a clean page does', () => {
    const path = pathOf(3n, 3n, 3n, 0x0068000000000383n);
    const off = { ...ARM64_CONTROLS, ha: false, hd: false };
    expect(format.check(path, write, off)).toEqual({ kind: 'access-flag', level: 3 });
    expect(format.check(path, write, { ...ARM64_CONTROLS, hd: false })).toEqual({
      ...{ kind: 'permission', level: 3 },
    });
  });
});

test('a shadow stack of Linux 6.13 is readable by the user, and not writable by a store', () => {
  const format = arm64({ granule: 4, vaBits: 48, pir: LINUX_PIR, pire0: 0x5010908070320000n });
  // PAGE_GCS: UXN, DBM and AP[1].
  const leaf = 0x0048000000000fc3n;
  expect(format.permissions(pathOf(3n, 3n, 3n, leaf), ARM64_CONTROLS)).toEqual({
    kernel: { read: false, write: false, execute: false },
    user: { read: true, write: false, execute: false },
  });
});
