import { X8664_INVALIDATIONS } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';

const find = (name: string) => X8664_INVALIDATIONS.find((one) => one.name === name);

describe('X8664_INVALIDATIONS', () => {
  // SDM vol. 3A, Paging, "Operations that Invalidate TLBs and Paging-Structure Caches".
  test.each([
    // "... that is associated with the current PCID. It also invalidates any global TLB entries with that page number,
    // regardless of PCID. It also invalidates all entries in all paging-structure caches associated with the current PCID,
    // regardless of the linear addresses to which they correspond."
    ['INVLPG', 'page', 'current', true, 'all'],
    // "... all mappings, except global translations, associated with the PCID ... and that would be used to translate the
    // linear address".
    ['INVPCID 0', 'page', 'given', false, 'addresses'],
    ['INVPCID 1', 'all', 'given', false, 'all'],
    // "all mappings, including global translations, associated with all PCIDs".
    ['INVPCID 2', 'all', 'all', true, 'all'],
    ['INVPCID 3', 'all', 'all', false, 'all'],
    // "all TLB entries associated with PCID 000H except those for global pages. It also invalidates all entries in all
    // paging-structure caches".
    ['MOV CR3', 'all', 'current', false, 'all'],
    ['MOV CR4.PGE', 'all', 'all', true, 'all'],
    ['#PF', 'page', 'current', true, 'addresses'],
  ])('%s forgets what the manual says', (name, addresses, asids, globals, tables) => {
    expect(find(name)).toEqual({ name, addresses, asids, globals, tables, broadcast: false });
  });

  test('has no other, and cannot be changed', () => {
    expect(X8664_INVALIDATIONS).toHaveLength(8);
    expect([X8664_INVALIDATIONS, ...X8664_INVALIDATIONS].every((one) => Object.isFrozen(one))).toBe(true);
  });
});
