import { listLeaves, PageTableReader, protection } from '@vmarea/core';
import { machine } from '@vmarea/testkit';
import { expect, test } from 'vitest';
import { X86_BITS, x8664 } from '../src/index.js';

/** What a list says of a user page of key 1, when some bits of the root's entry differ. Linux denies loads and stores of that key. */
function listed(changed: bigint): unknown {
  const format = x8664();
  const { table, memory } = machine(format);
  const execute = protection({ execute: true, user: true, extra: 1n << 59n });
  table.map(0x400000n, [0x205], execute);
  const at = table.root;
  memory.write64(at, memory.read64(at) ^ changed);
  const controls = { pke: true };
  const [leaf] = listLeaves(new PageTableReader({ format, memory, root: at, controls }));
  return leaf?.kind === 'leaves' ? leaf.rights : leaf;
}

test('a user page whose key allows execution alone is listed so', () => {
  expect(listed(0n)).toEqual({ read: false, write: false, execute: true, user: true });
});

test('below an entry with NX, as PTI makes them, it is a user page that user mode cannot use', () => {
  expect(listed(X86_BITS.NX)).toEqual({ read: false, write: false, execute: false, user: true });
});

test("below an entry without U/S it is the kernel's, and has no key", () => {
  expect(listed(X86_BITS.US)).toEqual({ read: true, write: false, execute: true, user: false });
});
