import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AddressReader } from '../../src/index.js';

function read(pieces: readonly Uint8Array[]): bigint[] {
  const found: bigint[] = [];
  const reader = new AddressReader('a text', (hi, lo) => {
    found.push((BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0));
  });
  for (const piece of pieces) reader.push(piece);
  reader.end();
  return found;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('AddressReader', () => {
  test('reads what a parser of whole words reads, wherever the text is cut', () => {
    const word = fc.tuple(
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      fc.constantFrom('', '0x', '0X'),
      fc.boolean(),
      fc.constantFrom(' ', '\n', '\r\n', ', ', '\t\t'),
    );
    fc.assert(
      fc.property(
        fc.array(word, { maxLength: 20 }),
        fc.array(fc.nat(300), { maxLength: 5 }),
        (words, cuts) => {
          const text = words
            .map(([value, prefix, isUpper, end]) => {
              const digits = value.toString(16);
              return `${prefix}${isUpper ? digits.toUpperCase() : digits}${end}`;
            })
            .join('');
          const all = bytes(text);
          const places = [0, ...cuts.map((at) => at % (all.length + 1)), all.length].sort((a, b) => a - b);
          const pieces = places.slice(1).map((to, i) => all.subarray(places[i], to));
          expect(read(pieces)).toEqual(words.map(([value]) => value));
        },
      ),
    );
  });

  test.each([
    ['1\n2\nzz', 'a text, line 3: "z" begins no address'],
    ['0x', 'a text, line 1: "0x" begins no address'],
    ['0x0x1', 'a text, line 1: "0x0x" begins no address'],
    ['12345678901234567', 'a text, line 1: "12345678901234567" begins no address'],
    ['-1', 'a text, line 1: "-" begins no address'],
  ])('refuses %j with its line', (text, message) => {
    expect(() => read([bytes(text)])).toThrow(message);
  });
});
