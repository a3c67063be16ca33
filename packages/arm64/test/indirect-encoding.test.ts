import { type PageTableFormat, type Protection, protection, toBigint, type Words, words } from '@vmarea/core';
import { hex, pathOf } from '@vmarea/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ARM64_CONTROLS,
  type Arm64Controls,
  arm64,
  arm64Linux,
  LINUX_PIR,
  LINUX_PIRE0,
} from '../src/index.js';
import { accesses } from './manual-overlays.js';

const size = { granule: 4, vaBits: 48 } as const;
const direct = arm64(size);
const PTE = 3;

/**
 * Values of PIRE0_EL1: of Linux 6.5 to 6.11, of 6.12, and of 6.13, which is the value that its developers published together with
 * that of PIR_EL1 (lore.kernel.org, "arm64/mm: Define PIE_E0_ASM and PIE_E1_ASM": 5769270003974144000, -3708698853797527552).
 */
const KERNELS = [0xc0800000e0a20000n, 0x5010000070320000n, 5769270003974144000n];

test('the values of Linux are those of its sources', () => {
  expect(hex(LINUX_PIR)).toBe(hex(BigInt.asUintN(64, -3708698853797527552n)));
  expect(LINUX_PIRE0).toBe(KERNELS[1]);
});

/** What a format says, or why it refuses. */
function said(format: PageTableFormat, wanted: Protection): string {
  try {
    return hex(format.encode(wanted, PTE));
  } catch (error) {
    return (error as Error).message;
  }
}

const flags = ['write', 'execute', 'user', 'global', 'accessed', 'dirty'] as const;

/** Every protection that the format takes without PIE: a readable page, and Linux's execute-only page. */
const all: Protection[] = Array.from({ length: 64 }, (_, bits) =>
  protection(Object.fromEntries(flags.map((name, at) => [name, ((bits >> at) & 1) === 1]))),
).flatMap((one) => (one.user && one.execute && !one.write ? [one, { ...one, read: false }] : [one]));

describe.each(KERNELS)('a table of Linux with PIRE0_EL1 %s', (pire0) => {
  const indirect = arm64({ ...size, pir: LINUX_PIR, pire0 });

  test('has the bits that it has without PIE, for every protection', () => {
    expect(all.length).toBe(72);
    const different: unknown[] = [];
    for (const wanted of all) {
      expect(said(indirect, wanted)).toBe(said(direct, wanted));
      const leaf = direct.encode(wanted, PTE);
      expect(indirect.decode(leaf, PTE)).toEqual(direct.decode(leaf, PTE));
      for (const { read, write, execute, user } of all) {
        const next = { ...wanted, read, write, execute, user };
        const [one, other] = [indirect, direct].map((format) => toBigint(format.change(leaf, next, PTE)));
        if (one !== other) different.push({ wanted, next, one, other });
      }
    }
    expect(different).toEqual([]);
  });

  test('has the same named protections', () => {
    for (const one of Object.values(arm64Linux(size).protections))
      expect(said(indirect, one)).toBe(said(direct, one));
  });

  test('allows what it allows without PIE', () => {
    const different: unknown[] = [];
    for (const wanted of all) {
      const path = pathOf(3n, 3n, 3n, toBigint(direct.encode(wanted, PTE)));
      for (let modes = 0; modes < 16; modes++) {
        const is = (bit: number): boolean => ((modes >> bit) & 1) === 1;
        const controls: Arm64Controls = {
          ...ARM64_CONTROLS,
          ...{ ha: is(0), hd: is(1), pan: is(2), e0pd: is(3) },
          // PIE has PAN3 in any case.
          epan: true,
        };
        const before = direct.permissions(path, controls);
        // PIE_NONE_O: the kernel does not read an execute-only page, with PAN or without.
        const kernel = wanted.read ? before.kernel : { ...before.kernel, read: false };
        const now = indirect.permissions(path, controls);
        if (JSON.stringify(now) !== JSON.stringify({ kernel, user: before.user }))
          different.push({ wanted, controls, now, before });
        for (const access of wanted.read ? accesses : []) {
          const [one, other] = [indirect, direct].map((format) => {
            const fault = format.check(path, access, controls);
            return fault ?? format.touch(path[PTE] as Words, PTE, 'leaf', access, controls);
          });
          if (JSON.stringify(one) !== JSON.stringify(other))
            different.push({ wanted, controls, access, one, other });
        }
      }
    }
    expect(different).toEqual([]);
  });

  test('is not writable without PTE_WRITE, whatever AP[2] is', () => {
    const leaf = 0x0060000000000703n;
    expect(direct.decode(words(leaf), PTE).write).toBe(true);
    expect(indirect.decode(words(leaf), PTE)).toEqual(protection({ global: true, extra: 0x80n }));
    expect(indirect.permissions(pathOf(leaf), ARM64_CONTROLS).kernel.write).toBe(false);
  });
});

/** Two words of an entry from a bigint, without the bits that an address or a run takes. */
const leafOf = (bits: bigint): Words => words((bits & ~(0xffff_ffff_f000n | (1n << 52n))) | 3n);

describe('with any values of PIR_EL1 and PIRE0_EL1', () => {
  const register = fc.bigInt(0n, (1n << 64n) - 1n);
  const formats = fc.tuple(register, register).map(([pir, pire0]) => arm64({ ...size, pir, pire0 }));

  test('decode loses no bit, and a change to what a leaf says changes nothing', () => {
    fc.assert(
      fc.property(formats, register, (format, bits) => {
        const leaf = leafOf(bits);
        const now = format.decode(leaf, PTE);
        expect(hex(format.encode(now, PTE))).toBe(hex(leaf));
        expect(format.change(leaf, now, PTE)).toEqual(leaf);
      }),
      { numRuns: 1000 },
    );
  });

  test('what encode takes is what a walk allows, and the kernel never more than its owner may', () => {
    const some = fc.record({
      ...{ read: fc.boolean(), write: fc.boolean(), execute: fc.boolean(), user: fc.boolean() },
      accessed: fc.constant(true),
    });
    let taken = 0;
    fc.assert(
      fc.property(formats, some, (format, wanted) => {
        const entry = said(format, protection(wanted));
        if (!entry.startsWith('0x')) {
          expect(entry).toMatch(/^EINVAL: no index of PIR_EL1 and PIRE0_EL1 stands for a page of the /);
          return;
        }
        taken++;
        const { kernel, user } = format.permissions(pathOf(BigInt(entry)), { ...ARM64_CONTROLS, pan: false });
        const { read, write, execute } = wanted;
        expect(wanted.user ? user : kernel).toEqual({ read, write, execute });
        if (wanted.user) expect([kernel.write && !write, kernel.execute]).toEqual([false, false]);
        else expect(user).toEqual({ read: false, write: false, execute: false });
      }),
      { numRuns: 1000 },
    );
    expect(taken).toBeGreaterThan(100);
  });
});

describe('an index that no protection stands for', () => {
  // Index 15: the user reads and the kernel writes. Index 13: the user's shadow stack. Index 2: what the user reads.
  const format = arm64({ ...size, pir: 0xc200080ca0e088ccn, pire0: 0x1090230700000105n });
  const shown = (wanted: Partial<Protection>) => said(format, protection({ global: true, ...wanted }));

  test('is not what encode chooses', () => {
    expect(shown({ user: true })).toBe('0x0008000000000783');
    expect(shown({ write: true })).toBe('0x0000000000000743');
    expect(shown({ execute: true, read: false })).toBe('0x0068000000000783');
  });

  test('stays as it is, in `extra`', () => {
    for (const leaf of [0x00680000000007c3n, 0x00600000000007c3n]) {
      const now = format.decode(words(leaf), PTE);
      expect(now).toMatchObject({ read: true, write: false, execute: false, user: true });
      expect(hex(format.encode(now, PTE))).toBe(hex(leaf));
      expect(hex(format.change(words(leaf), { ...now, global: false }, PTE))).toBe(hex(leaf | 0x800n));
      // Another right needs another index.
      expect(hex(format.change(words(leaf), { ...now, write: true }, PTE))).toBe('0x0000000000000783');
    }
  });

  test('is refused where it is the only one', () => {
    const only = arm64({ ...size, pir: 0xcccccccccccccccen, pire0: 0x1111111111111110n });
    expect(said(only, protection({ user: true }))).toBe(
      'EINVAL: no index of PIR_EL1 and PIRE0_EL1 stands for a page of the user with read true, write false, ' +
        'execute false; the options pir and pire0 say what a page can be',
    );
    const leaf = words(0x00600000000007c3n);
    expect(() => only.change(leaf, protection({ user: true }), PTE)).toThrow('EINVAL: no index of PIR_EL1');
    expect(only.change(leaf, { ...only.decode(leaf, PTE), global: true }, PTE)).toEqual(leaf);
  });
});
