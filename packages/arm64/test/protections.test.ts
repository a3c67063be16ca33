import { kindOf } from '@vmarea/conformance';
import { type Protection, protection, toBigint, words } from '@vmarea/core';
import { hex } from '@vmarea/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arm64, LINUX_MAIR_MTE } from '../src/index.js';

const format = arm64({ granule: 4, vaBits: 48 });
const lpa2 = arm64({ granule: 4, vaBits: 48, outputBits: 52 });
const PUD = 1;
const PMD = 2;
const PTE = 3;

/** A kernel page that nobody may write or execute, its access flag clear. */
const BARE = '0x0060000000000b83';

describe('encode', () => {
  const bit: [what: string, fields: Partial<Protection>, entry: string][] = [
    ['a bare page', {}, BARE],
    ['AF', { accessed: true }, '0x0060000000000f83'],
    ['global: nG clear', { global: true }, '0x0060000000000383'],
    ['writable and clean: DBM', { write: true, dirty: false }, '0x0068000000000b83'],
    ['writable and dirty: AP[2] clear', { write: true, dirty: true }, '0x0068000000000b03'],
    ['read-only and dirty: software bit 55', { dirty: true }, '0x00e0000000000b83'],
    ['kernel text: PXN clear', { execute: true }, '0x0040000000000b83'],
    ['user: AP[1]', { user: true }, '0x0060000000000bc3'],
    ['user text: UXN clear', { user: true, execute: true }, '0x0020000000000bc3'],
    ['execute-only', { user: true, execute: true, read: false }, '0x0020000000000b83'],
    ['Normal-NC: index 2', { memory: 'write-combining' }, '0x0060000000000b8b'],
    ['Device-nGnRnE: index 3', { memory: 'uncached' }, '0x0060000000000b8f'],
    ['Device-nGnRE: index 4', { memory: 'device' }, '0x0060000000000b93'],
    ['software bits', { extra: 0x0700000000000000n }, '0x0760000000000b83'],
    ['GP', { execute: true, extra: 1n << 50n }, '0x0044000000000b83'],
    ['an overlay index', { extra: 5n << 60n }, '0x5060000000000b83'],
    ['outer shareable, by its difference', { extra: 0x100n }, '0x0060000000000a83'],
    ['not shareable, by its difference', { extra: 0x300n }, '0x0060000000000883'],
    ['the second Normal index', { extra: 4n }, '0x0060000000000b87'],
    ['writable without DBM', { write: true, dirty: true, extra: 1n << 51n }, '0x0060000000000b03'],
    ['a user page that the kernel executes', { user: true, extra: 1n << 53n }, '0x0040000000000bc3'],
  ];
  test.each(bit)('%s', (_, fields, entry) => {
    const wanted = protection({ accessed: false, ...fields });
    expect(hex(format.encode(wanted, PTE))).toBe(entry);
    expect(format.decode(words(BigInt(entry)), PTE)).toEqual(wanted);
    const block = BigInt(entry) & ~2n;
    for (const level of [PUD, PMD]) expect(hex(format.encode(wanted, level))).toBe(hex(block));
  });

  test('writes no shareability with LPA2, where bits 9:8 are address bits', () => {
    expect(hex(lpa2.encode(protection({ accessed: false }), PTE))).toBe('0x0060000000000883');
    expect(lpa2.decode(words(0x0060000000000b83n), PTE)).toEqual(protection({ accessed: false }));
    expect(hex(lpa2.encode(protection({ write: true }), 0))).toBe('0x0068000000000c01');
  });

  test('gives the tagged type its index in MAIR', () => {
    const mte = arm64({ granule: 4, vaBits: 48, mair: LINUX_MAIR_MTE });
    expect(hex(mte.encode(protection({ write: true, global: true, memory: 'tagged' }), PTE))).toBe(
      '0x0068000000000707',
    );
  });

  test('accepts nT only in blocks', () => {
    const wanted = protection({ extra: 1n << 16n });
    expect(hex(format.encode(wanted, PMD))).toBe('0x0060000000010f81');
    expect(() => format.encode(wanted, PTE)).toThrow('extra has the bits 0x10000, which it must not have');
  });

  const refused: [what: string, fields: Partial<Protection>, level: number, message: string][] = [
    ['no reading by the kernel', { read: false }, PTE, 'read is false'],
    ['no reading of a user page with data', { read: false, user: true }, PTE, 'read is false'],
    [
      'writable, executable, not readable',
      { read: false, user: true, execute: true, write: true },
      PTE,
      'only a user page that is executable and not writable can be unreadable',
    ],
    ['tagged memory without MTE', { memory: 'tagged' }, PTE, 'memory is tagged, which MAIR does not have'],
    ['write-through', { memory: 'write-through' }, PTE, 'it has normal, write-combining, uncached, device'],
    ['the valid bit in extra', { extra: 1n }, PTE, 'extra has the bits 0x1,'],
    ['the contiguous bit in extra', { extra: 1n << 52n }, PTE, 'extra has the bits 0x10000000000000,'],
    ['an address in extra', { extra: 1n << 47n }, PTE, 'extra has the bits 0x800000000000,'],
    ['a 65th bit in extra', { extra: 1n << 64n }, PTE, 'extra has the bits'],
    ['a negative extra', { extra: -1n }, PTE, 'extra has the bits'],
    ['AF in extra', { extra: 0x400n }, PTE, 'extra has the bits 0x400, which change the protection'],
    ['nG in extra', { extra: 0x800n }, PTE, 'which change the protection'],
    ['AP[1] in extra', { extra: 0x40n }, PTE, 'which change the protection'],
    ['AP[2] in extra', { extra: 0x80n }, PTE, 'which change the protection'],
    ['DBM in extra of a read-only page', { extra: 1n << 51n }, PTE, 'which change the protection'],
    ['PXN in extra of a kernel page', { extra: 1n << 53n }, PTE, 'which change the protection'],
    ['bit 55 in extra of a read-only page', { extra: 1n << 55n }, PTE, 'which change the protection'],
    ['an index of another type', { extra: 8n }, PTE, 'which change the protection'],
    ['a leaf in the PGD', {}, 0, 'level 0 has no leaves; use 1 (PUD), 2 (PMD), 3 (PTE)'],
    ['a leaf below the PTE', {}, 4, 'level 4 has no leaves'],
  ];
  test.each(refused)('%s is refused', (_, fields, level, message) => {
    const encode = () => format.encode(protection(fields), level);
    expect(encode).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(encode).toThrow(message);
  });

  test('refuses bits 15:12 in extra with LPA, whatever the output size is', () => {
    const wanted = protection({ extra: 1n << 12n });
    const narrow = arm64({ granule: 64, vaBits: 48 });
    const lpa = arm64({ granule: 64, vaBits: 48, lpa: true });
    const last = narrow.levels.length - 1;
    expect(hex(narrow.encode({ ...wanted, accessed: false }, last))).toBe('0x0060000000001b83');
    expect(() => lpa.encode(wanted, last)).toThrow('extra has the bits 0x1000, which it must not have');
  });

  test('treats the contiguous bit as an ordinary bit without runs', () => {
    const plain = arm64({ granule: 4, vaBits: 48, contiguous: false });
    const wanted = protection({ write: true, global: true, extra: 1n << 52n });
    expect(hex(plain.encode(wanted, PTE))).toBe('0x0078000000000703');
    expect(plain.decode(words(0x0078000000000703n), PTE)).toEqual(wanted);
  });
});

describe('decode', () => {
  const formats = [
    format,
    lpa2,
    arm64({ granule: 16, vaBits: 47 }),
    arm64({ granule: 16, vaBits: 52, half: 'ttbr0', mair: LINUX_MAIR_MTE }),
    arm64({ granule: 64, vaBits: 48 }),
    arm64({ granule: 64, vaBits: 52, outputBits: 52, contiguous: false }),
    // Two write-through pairs, a mixed pair, GRE: types that Linux does not use.
    arm64({ granule: 4, vaBits: 39, mair: 0x0c08_bb44_4f04_ffaan }),
  ];
  const cases = fc.record({ index: fc.nat(formats.length - 1), bits: fc.bigInt(0n, (1n << 64n) - 1n) });

  test('loses no bit of any leaf', () => {
    fc.assert(
      fc.property(cases, ({ index, bits }) => {
        const one = formats[index] as typeof format;
        for (const [level, { leaf, run, shift }] of one.levels.entries()) {
          if (leaf === null) continue;
          const entry = (bits & ~3n) | toBigint(leaf.match.value);
          if (kindOf(one, level, entry) !== 'leaf') continue;
          let expected = entry & ~(run === null ? 0n : 1n << 52n);
          for (const { entryBit, paBit, width } of one.address) {
            for (let i = 0; i < width; i++) {
              if (paBit + i >= shift) expected &= ~(1n << BigInt(entryBit + i));
            }
          }
          expect(hex(one.encode(one.decode(words(entry), level), level))).toBe(hex(expected));
        }
      }),
      { numRuns: 3000 },
    );
  });

  test('gives back every protection that encode accepts', () => {
    const some = fc.record({
      read: fc.boolean(),
      write: fc.boolean(),
      execute: fc.boolean(),
      user: fc.boolean(),
      global: fc.boolean(),
      accessed: fc.boolean(),
      dirty: fc.boolean(),
      memory: fc.constantFrom(
        'normal' as const,
        'write-combining' as const,
        'uncached' as const,
        'device' as const,
      ),
      extra: fc.constantFrom(0n, 1n << 56n, 7n << 60n, 1n << 50n, 1n << 5n, 1n << 63n),
    });
    fc.assert(
      fc.property(some, (wanted) => {
        fc.pre(wanted.read || (wanted.user && wanted.execute && !wanted.write));
        for (const level of [PUD, PMD, PTE]) {
          expect(format.decode(format.encode(protection(wanted), level), level)).toEqual(wanted);
        }
      }),
    );
  });
});

describe('change', () => {
  const changed = (leaf: bigint, fields: Partial<Protection>, level = PTE) => {
    const now = format.decode(words(leaf), level);
    return hex(format.change(words(leaf), { ...now, ...fields }, level));
  };

  test.each([
    ['nothing', 0x0068000012345703n, {}, '0x0068000012345703'],
    ['nothing of a leaf with every unusual bit', 0xf7bf0000123456a7n, {}, '0xf7bf0000123456a7'],
    // A user's page, as pte_modify.
    ['user: write taken from a dirty page', 0x0068000012345f43n, { write: false }, '0x00e0000012345fc3'],
    ['user: write taken from a clean page', 0x0068000012345fc3n, { write: false }, '0x0060000012345fc3'],
    ['user: the same with bit 55', 0x00e8000012345fc3n, { write: false }, '0x00e0000012345fc3'],
    ['user: write given back to a dirty page', 0x00e0000012345fc3n, { write: true }, '0x00e8000012345f43'],
    ['user: write given to a clean page', 0x0060000012345fc3n, { write: true }, '0x0068000012345fc3'],
    ['user: write taken where DBM is clear', 0x0060000012345f43n, { write: false }, '0x00e0000012345fc3'],
    // A kernel's page, as set_memory_ro and set_memory_rw.
    ['PAGE_KERNEL to PAGE_KERNEL_RO', 0x0068000012345703n, { write: false }, '0x0060000012345783'],
    ['PAGE_KERNEL_RO to PAGE_KERNEL', 0x0060000012345783n, { write: true }, '0x0068000012345703'],
    ['the same with bit 55', 0x00e8000012345703n, { write: false }, '0x00e0000012345783'],
    ['and back', 0x00e0000012345783n, { write: true }, '0x00e8000012345703'],
    ['write taken from a clean page', 0x0068000012345783n, { write: false }, '0x0060000012345783'],
    ['write taken where DBM is clear', 0x0060000012345703n, { write: false }, '0x0060000012345783'],
    ['execution of a page without DBM', 0x0060000012345703n, { execute: true }, '0x0040000012345703'],
    ['execution of a kernel page', 0x0068000012345703n, { execute: true }, '0x0048000012345703'],
    ['execution of a user page', 0x0068000012345f43n, { execute: true }, '0x0028000012345f43'],
    ['execution alone', 0x0020000012345fc3n, { read: false }, '0x0020000012345f83'],
    ['reading again', 0x0020000012345f83n, { read: true }, '0x0020000012345fc3'],
    ['user', 0x0060000012345f83n, { user: true }, '0x0060000012345fc3'],
    ['global', 0x0060000012345f83n, { global: true }, '0x0060000012345783'],
    ['memory', 0x0068000012345703n, { memory: 'device' as const }, '0x0068000012345713'],
    [
      'memory of the second Normal index',
      0x0068000012345707n,
      { memory: 'device' as const },
      '0x0068000012345713',
    ],
    ['write keeps the second Normal index', 0x00e8000012345707n, { write: false }, '0x00e0000012345787'],
    [
      'write keeps shareability, software bits and the run',
      0x0778000012345403n,
      { write: false },
      '0x0770000012345483',
    ],
    [
      'a clear access flag stays',
      0x0068000012345383n,
      { write: false, accessed: true },
      '0x0060000012345383',
    ],
  ] as [string, bigint, Partial<Protection>, string][])('%s', (_, leaf, fields, entry) => {
    expect(changed(leaf, fields)).toBe(entry);
  });

  test('sets GP and the overlay index from a complete protection, and keeps the software bits', () => {
    const leaf = words(0x7744000012345783n);
    const wanted = protection({ execute: true, global: true });
    expect(hex(format.change(leaf, wanted, PTE))).toBe('0x0740000012345783');
    const guarded = protection({ execute: true, global: true, extra: (1n << 50n) | (2n << 60n) });
    expect(hex(format.change(leaf, guarded, PTE))).toBe('0x2744000012345783');
  });

  test('keeps the type and nT of blocks', () => {
    expect(changed(0x0068000000210701n, { write: false }, PMD)).toBe('0x0060000000210781');
  });

  test('refuses a protection that it cannot encode', () => {
    expect(() => changed(0x0068000012345703n, { read: false })).toThrow('read is false');
    expect(() => changed(0x0068000012345703n, { memory: 'tagged' })).toThrow('memory is tagged');
  });

  test('keeps a written user page dirty, and does nothing when it is repeated', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, (1n << 64n) - 1n), fc.boolean(), (bits, write) => {
        const leaf = words((bits & ~(0xffff_ffff_f000n | (1n << 52n))) | 3n);
        const now = format.decode(leaf, PTE);
        expect(format.change(leaf, now, PTE)).toEqual(leaf);
        const there = format.change(leaf, { ...now, read: true, write }, PTE);
        const after = format.decode(there, PTE);
        expect(after.write).toBe(write);
        if (now.dirty && (now.user || write)) expect(after.dirty).toBe(true);
        expect(format.change(there, after, PTE)).toEqual(there);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('relevel', () => {
  const moved = (leaf: bigint, from: number, to: number) => hex(format.relevel(words(leaf), from, to));

  test('swaps the type bits, both ways', () => {
    expect(moved(0x00e8000000000f01n, PMD, PTE)).toBe('0x00e8000000000f03');
    expect(moved(0x00e8000000000f03n, PTE, PMD)).toBe('0x00e8000000000f01');
    expect(moved(0x00e8000000000f01n, PUD, PMD)).toBe('0x00e8000000000f01');
  });

  test('removes only the mark of a run at the same level', () => {
    expect(moved(0x00f8000000000f01n, PMD, PTE)).toBe('0x00e8000000000f03');
    expect(moved(0x00f8000000010f01n, PMD, PMD)).toBe('0x00e8000000010f01');
    expect(moved(0x00f8000000000f03n, PTE, PTE)).toBe('0x00e8000000000f03');
  });

  test('clears the bits of a block that are address bits of a page', () => {
    expect(moved(0x00e80000001fff01n, PMD, PTE)).toBe('0x00e8000000000f03');
  });

  test('clears bit 52 of a single block when it becomes pages that can form runs', () => {
    const wide = arm64({ granule: 16, vaBits: 52 });
    expect(hex(wide.relevel(words(0x00f8000000000c01n), 1, 2))).toBe('0x00e8000000000c01');
  });
});
