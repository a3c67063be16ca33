import { arm64 } from '@vmarea/arm64';
import { isTranslated } from '@vmarea/core';
import { riscv64 } from '@vmarea/riscv64';
import { x8664 } from '@vmarea/x86-64';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { levelsOf } from '../../src/look/level-view.js';
import { addressParts, canonical, indexOf, withIndex } from '../../src/page/walk/address-parts.js';

const formats = [x8664(), arm64({ granule: 64, vaBits: 52, outputBits: 52 }), riscv64({ mode: 'sv39' })];
const address = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

describe.each(formats)('an address of $name', (format) => {
  const levels = levelsOf(format);
  const { bits, upper } = format.range;

  test('is all of its parts, one after another', () => {
    fc.assert(
      fc.property(address, fc.nat(levels.length - 1), (va, last) => {
        const parts = addressParts(levels, bits, va, last);
        expect(BigInt(`0b${parts.map(({ text }) => text).join('')}`)).toBe(va);
        expect(parts.map(({ text }) => text.length).reduce((a, b) => a + b)).toBe(64);
        for (const { level, value } of parts)
          if (level !== null) expect(Number(value)).toBe(indexOf(levels, va, level));
      }),
    );
  });

  test('keeps what is above a level when the slot there changes', () => {
    fc.assert(
      fc.property(address, fc.nat(levels.length - 1), fc.nat(), (va, level, any) => {
        const index = any % 2 ** (levels[level]?.bits ?? 0);
        const changed = withIndex(levels, va, level, index);
        expect(indexOf(levels, changed, level)).toBe(index);
        for (let above = 0; above < level; above++)
          expect(indexOf(levels, changed, above)).toBe(indexOf(levels, va, above));
        expect(changed % 2n ** BigInt(levels[level]?.shift ?? 0)).toBe(0n);
      }),
    );
  });

  test('becomes one that the root translates', () => {
    fc.assert(
      fc.property(address, (va) => {
        const there = canonical(bits, upper, va);
        expect(isTranslated(format, there)).toBe(true);
        expect(there % 2n ** BigInt(bits)).toBe(va % 2n ** BigInt(bits));
      }),
    );
  });
});
