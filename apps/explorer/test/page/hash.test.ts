import { describe, expect, test } from 'vitest';
import { hashOf, parseAddress, parseHash } from '../../src/page/shared/hash.js';

describe('the hash of the URL', () => {
  test('names a view and its parameters, and comes back', () => {
    const hash = hashOf('walk', { table: 'x86-64', root: '0x2c22000', va: null, level: 3 });
    expect(hash).toBe('#walk?table=x86-64&root=0x2c22000&level=3');
    const { view, params } = parseHash(hash);
    expect([view, ...params]).toEqual(['walk', ['table', 'x86-64'], ['root', '0x2c22000'], ['level', '3']]);
  });

  test.each(['', '#', '#nothing', '#walk/%%%', '#try?'])('is a view, also for %j', (hash) => {
    expect(['walk', 'try']).toContain(parseHash(hash).view);
    expect(parseHash(hash).params.size).toBe(0);
  });
});

test.each([
  ['0xffffffff81000000', 0xffffffff81000000n],
  [' ffffffff_81000000 ', 0xffffffff81000000n],
  ['ffffffff`81000000', 0xffffffff81000000n],
  ['0', 0n],
  ['', null],
  ['0x', null],
  ['12345678901234567', null],
  ['start_kernel', null],
])('the address %j is %s', (text, va) => {
  expect(parseAddress(text)).toBe(va);
});
