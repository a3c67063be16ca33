import type { Access, Words } from '@vmarea/core';
import { pathOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { ARM64_CONTROLS, type Arm64Controls, arm64 } from '../src/index.js';
import { accesses, letterOf, OVERLAY } from './manual-overlays.js';

const format = arm64({ granule: 4, vaBits: 48 });

/**
 * The manual's "Summary of possible memory access permissions using Direct permissions": PrivRead and its kin by UXN, PXN and
 * AP[2:1], of which WXN makes a writable and executable page PrivWXN or UnprivWXN.
 */
const DIRECT: readonly (readonly [uxn: 0 | 1, pxn: 0 | 1, ap: number, priv: string, unpriv: string])[] = [
  [0, 0, 0b00, 'RWX', 'X'],
  [0, 0, 0b01, 'RW', 'RWX'],
  [0, 0, 0b10, 'RX', 'X'],
  [0, 0, 0b11, 'RX', 'RX'],
  [0, 1, 0b00, 'RW', 'X'],
  [0, 1, 0b01, 'RW', 'RWX'],
  [0, 1, 0b10, 'R', 'X'],
  [0, 1, 0b11, 'R', 'RX'],
  [1, 0, 0b00, 'RWX', ''],
  [1, 0, 0b01, 'RW', 'RW'],
  [1, 0, 0b10, 'RX', ''],
  [1, 0, 0b11, 'RX', 'R'],
  [1, 1, 0b00, 'RW', ''],
  [1, 1, 0b01, 'RW', 'RW'],
  [1, 1, 0b10, 'R', ''],
  [1, 1, 0b11, 'R', 'R'],
];

function manualAllows(
  [, , , priv, unpriv]: (typeof DIRECT)[number],
  values: readonly [number, number],
  access: Access,
  c: Arm64Controls,
): boolean {
  const base = new Set(access.user ? unpriv : priv);
  const overlay = new Set(OVERLAY[values[access.user ? 1 : 0]]);
  const isOverlaid = access.user ? c.e0poe : c.poe;
  if (c.wxn && base.has('W') && base.has('X')) {
    if (!isOverlaid) base.delete('X');
    else if (overlay.has('X')) overlay.delete('W');
  }
  if (!access.user && c.pan && (/[RW]/.test(unpriv) || (c.epan && unpriv.includes('X'))))
    for (const data of ['R', 'W']) base.delete(data);
  return base.has(letterOf(access)) && (!isOverlaid || overlay.has(letterOf(access)));
}

function pathFor([uxn, pxn, ap]: (typeof DIRECT)[number], poIndex: number): Words[] {
  const leaf =
    0x703n | (BigInt(ap) << 6n) | (BigInt(pxn) << 53n) | (BigInt(uxn) << 54n) | (BigInt(poIndex) << 60n);
  // Tables that forbid everything: overlays turn hierarchical permissions off.
  return pathOf(0x7800000000000003n, 0x7800000000000003n, 3n, leaf);
}

describe('overlays of direct permissions', () => {
  test('agree with the manual for every leaf, every value and every mode', () => {
    let cases = 0;
    for (const row of DIRECT) {
      for (let value = 0; value < 16; value++) {
        for (let modes = 0; modes < 32; modes++) {
          const is = (bit: number): boolean => ((modes >> bit) & 1) === 1;
          if (!is(0) && !is(1)) continue;
          const poIndex = (value + modes) & 7;
          const values = [value, (3 * value + 7) & 15] as const;
          const [porEl1, porEl0] = values.map((one) => (one << (4 * poIndex)) >>> 0) as [number, number];
          const switches = { poe: is(0), e0poe: is(1), wxn: is(2), pan: is(3), epan: is(4) };
          const controls: Arm64Controls = { ...ARM64_CONTROLS, ...switches, porEl1, porEl0 };
          const path = pathFor(row, poIndex);
          const permissions = format.permissions(path, controls);
          for (const access of accesses) {
            const allowed = manualAllows(row, values, access, controls);
            const fault = format.check(path, access, controls);
            const permitted = permissions[access.user ? 'user' : 'kernel'][access.kind];
            if ((fault === null) !== allowed || permitted !== allowed)
              expect({ row, values, access, controls, fault, permitted }).toEqual(allowed);
            cases++;
          }
        }
      }
    }
    expect(cases).toBe(16 * 16 * 24 * 6);
  });

  test.each(['poe', 'e0poe'] as const)('with %s on, tables forbid nothing', (name) => {
    const path = pathOf(0x7800000000000003n, 3n, 3n, 0x0040000000000743n);
    const read: Access = { kind: 'read', user: true };
    expect(format.check(path, read, ARM64_CONTROLS)).toEqual({ kind: 'permission', level: 3 });
    expect(format.check(path, read, { ...ARM64_CONTROLS, [name]: true })).toBeNull();
  });

  test('are off by default, and then POIndex means nothing', () => {
    const path = pathOf(3n, 3n, 3n, 0x7068000000000703n);
    expect(format.permissions(path, ARM64_CONTROLS).kernel.write).toBe(true);
    expect(format.permissions(path, { ...ARM64_CONTROLS, poe: true }).kernel.write).toBe(false);
  });
});
