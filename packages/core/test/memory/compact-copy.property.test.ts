import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CompactCopy } from '../../src/memory/compact-copy.js';

/** Lengths around the 1024 words of a page, and writes that leave most pages zero. */
const someWords = fc
  .tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 17 }))
  .chain(([pages, rest]) => {
    const length = pages * 1024 + rest;
    const at = fc.oneof(fc.nat(Math.max(0, length - 1)), fc.constant(Math.max(0, length - 1)));
    const writes = fc.array(fc.tuple(at, fc.integer()), { maxLength: 6 });
    return fc.tuple(fc.constant(length), writes, writes);
  });

const isSame = (a: Int32Array, b: Int32Array): boolean =>
  a.length === b.length && a.every((word, at) => word === b[at]);

test('restore puts back all words, and writes only the pages that differ', () => {
  fc.assert(
    fc.property(someWords, fc.boolean(), ([length, then, since], shared) => {
      const buffer = shared ? new SharedArrayBuffer(4 * length) : new ArrayBuffer(4 * length);
      const words = new Int32Array(buffer);
      for (const [at, value] of then) if (at < length) words[at] = value;
      const original = words.slice();
      const copy = CompactCopy.of(words);
      expect(isSame(words, original)).toBe(true);
      for (const [at, value] of since) if (at < length) words[at] = value;
      const changed = words.slice();
      const differ = new Set(
        Array.from(words.keys(), (at) => (changed[at] === original[at] ? -1 : at - (at % 1024))),
      );
      differ.delete(-1);
      const undo: [number, Int32Array][] = [];
      copy.restore(words, (at, old) => undo.push([at, old]));
      expect(isSame(words, original)).toBe(true);
      expect(undo.map(([at]) => at)).toEqual([...differ].sort((a, b) => a - b));
      for (const [at, old] of undo) words.set(old, at);
      expect(isSame(words, changed)).toBe(true);
      copy.restore(words, null);
      expect(isSame(words, original)).toBe(true);
    }),
    { numRuns: 300, seed: 20270319 },
  );
});
