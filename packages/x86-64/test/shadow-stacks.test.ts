import { FrameAllocator, PageTable, PhysicalMemory, protection } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { shadowStackFault, X86_BITS, x8664 } from '../src/index.js';

const { P, RW, US, A, D, PKEY } = X86_BITS;
const SHADOW = P | US | A | D;

/** A page at 0 whose leaf has given bits, and whose table entries lack some. */
function walkOf(leaf: bigint, lacking = 0n) {
  const memory = PhysicalMemory.create({ bytes: 1 << 16 });
  const table = new PageTable({ format: x8664(), memory, frames: new FrameAllocator(memory) });
  table.map(0n, [9], protection());
  const steps = table.walk(0n).steps;
  for (const { address, entry } of steps.slice(0, -1)) memory.write64(address, entry & ~lacking);
  memory.write64(steps.at(-1)?.address ?? 0n, leaf === 0n ? 0n : leaf | 0x9000n);
  return table.walk(0n);
}

describe('a shadow-stack access', () => {
  test.each([
    // [what, leaf, bits that table entries lack, kind, user, error code; null when it is allowed]
    ['by the user, to a shadow stack of the user', SHADOW, 0n, 'write', true, null],
    ['by the supervisor, to one of its own', SHADOW & ~US, 0n, 'write', false, null],
    ['by the supervisor, to one of the user', SHADOW, 0n, 'read', false, 0x41],
    ['by the user, to one of the supervisor', SHADOW & ~US, 0n, 'read', true, 0x45],
    ['to a page that is writable', SHADOW | RW, 0n, 'write', true, 0x47],
    ['to a page that is clean', SHADOW & ~D, 0n, 'read', true, 0x45],
    ['below a table that is read-only', SHADOW, RW, 'write', true, 0x47],
    ['below a table of the supervisor', SHADOW, US, 'write', true, 0x47],
    ['to nothing', 0n, 0n, 'write', true, 0x46],
    ['with a key that PKRU refuses', SHADOW | (PKEY & (1n << 59n)), 0n, 'read', true, 0x65],
  ] as const)('%s', (_, leaf, lacking, kind, user, code) => {
    const fault = shadowStackFault(walkOf(leaf, lacking), { kind, user });
    expect(fault?.code ?? null).toEqual(code === null ? null : { name: '#PF', code });
  });

  test('with a key that refuses writes alone may read', () => {
    const walk = walkOf(SHADOW | (1n << 59n));
    const controls = { pkru: 0b1000 };
    expect(shadowStackFault(walk, { kind: 'read', user: true }, controls)).toBeNull();
    expect(shadowStackFault(walk, { kind: 'write', user: true }, controls)?.code.code).toBe(0x67);
  });

  test('leaves ordinary accesses as they are: a shadow stack can be read and not written', () => {
    const memory = walkOf(SHADOW);
    expect(memory.permissions?.user).toEqual({ read: true, write: false, execute: true });
  });

  test('of another kind is refused', () => {
    const walk = walkOf(SHADOW);
    expect(() => shadowStackFault(walk, { kind: 'execute' as never, user: true })).toThrow('EINVAL: kind is');
    expect(() => shadowStackFault({} as never, { kind: 'read', user: true })).toThrow(
      'EINVAL: the walk has no steps',
    );
  });
});
