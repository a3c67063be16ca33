import type { FaultKind } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { ARM64_CONTROLS, arm64 } from '../src/index.js';

const access = { kind: 'read', user: false } as const;
const five = arm64({ granule: 4, vaBits: 52 });
const four = arm64({ granule: 4, vaBits: 48 });
const two = arm64({ granule: 64, vaBits: 42 });
const codeOf = (format: typeof five, kind: FaultKind, level: number): string => {
  const { name, code } = format.faultCode({ kind, level }, access, ARM64_CONTROLS);
  return `${name} 0b${code.toString(2).padStart(6, '0')}`;
};

describe('fault status codes', () => {
  // By the architecture's level, −1 first: the root of five levels.
  test.each([
    ['address-size', ['101001', '000000', '000001', '000010', '000011']],
    ['not-present', ['101011', '000100', '000101', '000110', '000111']],
    ['reserved', ['101011', '000100', '000101', '000110', '000111']],
    ['external', ['010011', '010100', '010101', '010110', '010111']],
    ['access-flag', [null, '001000', '001001', '001010', '001011']],
    ['permission', [null, '001100', '001101', '001110', '001111']],
  ] as [FaultKind, (string | null)[]][])('%s', (kind, codes) => {
    for (const [level, code] of codes.entries()) {
      if (code === null) {
        expect(() => codeOf(five, kind, level)).toThrow(`level -1 raises no fault of the kind ${kind}`);
      } else {
        expect(codeOf(five, kind, level)).toBe(`FSC 0b${code}`);
        if (level > 0) expect(codeOf(four, kind, level - 1)).toBe(`FSC 0b${code}`);
        if (level > 2) expect(codeOf(two, kind, level - 3)).toBe(`FSC 0b${code}`);
      }
    }
  });

  test('an address outside the range is a Translation fault of level 0, whatever the first level is', () => {
    for (const format of [five, four, two]) expect(codeOf(format, 'address', 0)).toBe('FSC 0b000100');
  });

  test('a protection-key fault is refused', () => {
    expect(() => codeOf(four, 'protection-key', 3)).toThrow(
      'arm64 raises no fault of the kind protection-key',
    );
  });
});
