import { RISCV64_INVALIDATIONS } from '@vmarea/riscv64';
import { describe, expect, test } from 'vitest';

describe('RISCV64_INVALIDATIONS', () => {
  // Privileged specification, "Supervisor Memory-Management Fence Instruction", the list by rs1 and rs2; Svinval: SINVAL.VMA
  // "invalidates any address-translation cache entries that an SFENCE.VMA instruction with the same values of rs1 and rs2
  // would invalidate".
  test.each(['SFENCE.VMA', 'SINVAL.VMA'])('%s forgets by rs1 and rs2 what the specification says', (name) => {
    expect(RISCV64_INVALIDATIONS.filter((one) => one.name.startsWith(name))).toEqual([
      { name, addresses: 'all', asids: 'all', globals: true, tables: 'all', broadcast: false },
      {
        ...{ name: `${name} va`, addresses: 'page', asids: 'all' },
        ...{ globals: true, tables: 'none', broadcast: false },
      },
      {
        ...{ name: `${name} asid`, addresses: 'all', asids: 'given' },
        ...{ globals: false, tables: 'all', broadcast: false },
      },
      {
        ...{ name: `${name} va, asid`, addresses: 'page', asids: 'given' },
        ...{ globals: false, tables: 'none', broadcast: false },
      },
    ]);
  });

  test('has no other, and cannot be changed', () => {
    expect(RISCV64_INVALIDATIONS).toHaveLength(8);
    expect([RISCV64_INVALIDATIONS, ...RISCV64_INVALIDATIONS].every((one) => Object.isFrozen(one))).toBe(true);
  });
});
