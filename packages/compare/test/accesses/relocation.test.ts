import type { VirtualRange } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { Relocation } from '../../src/accesses/relocation.js';
import { touchedBy } from '../support/accesses.js';

const SV39: VirtualRange = { bits: 39, upper: 'sign' };

function moved(range: VirtualRange, addresses: readonly bigint[]): bigint[] | null {
  const relocation = Relocation.into(range, touchedBy(addresses.map((address) => ['L', address, 1])));
  if (relocation === null) return null;
  const hi = Uint32Array.from(addresses, (address) => Number(address >> 32n));
  const lo = Uint32Array.from(addresses, (address) => Number(address & 0xffffffffn));
  const into = { hi: new Uint32Array(hi.length), lo: new Uint32Array(hi.length) };
  relocation.apply(hi, lo, hi.length, into);
  return addresses.map((_, i) => (BigInt(into.hi[i] as number) << 32n) | BigInt(into.lo[i] as number));
}

describe('relocation', () => {
  test('leaves addresses that the format translates', () => {
    const addresses = [0x401000n, 0x1fff000678n, 0xffffffc000001000n];
    expect(moved(SV39, addresses)).toEqual(addresses);
  });

  test('moves what lies beyond to the end of the range, in its order and with its offsets', () => {
    expect(moved(SV39, [0x401000n, 0x555555554123n, 0x7ffff7dd5008n, 0x7ffffffde010n])).toEqual([
      0x401000n,
      0x3f95554123n, // the last GiB but one; the other two share the last
      0x3ff7dd5008n,
      0x3ffffde010n,
    ]);
  });

  test('keeps offsets in a range of the upper half', () => {
    expect(moved({ bits: 48, upper: 'ones' }, [0x401000n, 0x7ffffffde010n])).toEqual([
      0xffff000000401000n,
      0xffff7ffffffde010n,
    ]);
  });

  test('has no result where the range has no room', () => {
    const many = Array.from({ length: 300 }, (_, i) => BigInt(i) << 40n);
    expect(moved(SV39, many)).toBeNull();
    expect(moved({ bits: 25, upper: 'zeros' }, [0x1000n])).toBeNull();
  });
});
