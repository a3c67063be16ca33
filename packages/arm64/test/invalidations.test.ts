import { ARM64_INVALIDATIONS } from '@vmarea/arm64';
import { describe, expect, test } from 'vitest';

const find = (name: string) => ARM64_INVALIDATIONS.find((one) => one.name === name);

describe('ARM64_INVALIDATIONS', () => {
  // Arm ARM, C5.5: "The entry is a stage 1 translation table entry, from any level ... used to translate the specified VA, and
  // is either a global entry or a non-global entry that matches the specified ASID"; the others alike.
  test.each([
    ['TLBI VAE1', 'page', 'given', true, 'addresses'],
    ['TLBI VALE1', 'page', 'given', true, 'none'],
    ['TLBI VAAE1', 'page', 'all', true, 'addresses'],
    ['TLBI VAALE1', 'page', 'all', true, 'none'],
    ['TLBI RVAE1', 'range', 'given', true, 'addresses'],
    ['TLBI RVALE1', 'range', 'given', true, 'none'],
    ['TLBI RVAAE1', 'range', 'all', true, 'addresses'],
    ['TLBI RVAALE1', 'range', 'all', true, 'none'],
    ['TLBI ASIDE1', 'all', 'given', false, 'all'],
    ['TLBI VMALLE1', 'all', 'all', true, 'all'],
  ])('%s forgets what the manual says, and its IS and OS forms do so everywhere', (name, ...rest) => {
    const [addresses, asids, globals, tables] = rest;
    for (const [suffix, broadcast] of [
      ['', false],
      ['IS', true],
      ['OS', true],
    ] as const) {
      expect(find(name + suffix)).toEqual({
        ...{ name: name + suffix, addresses, asids, globals },
        ...{ tables, broadcast },
      });
    }
  });

  test('has no other, and cannot be changed', () => {
    expect(ARM64_INVALIDATIONS).toHaveLength(30);
    expect([ARM64_INVALIDATIONS, ...ARM64_INVALIDATIONS].every((one) => Object.isFrozen(one))).toBe(true);
  });
});
