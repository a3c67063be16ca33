import { expect, test } from 'vitest';
import { AddressSpace as Space } from '../../../packages/core/src/vmap/address-space.js';
import { type Member, teamOf } from './team.js';

test('a thread whose areas differ from those of others says so, in each of its calls from then on', () => {
  const [one, two] = teamOf('x86-64', 2).members as [Member, Member];
  // Behind the back of everybody: its next area gets other addresses.
  Space.spaceOf(two.kernel).areas.reserve(4096n);
  one.kernel.getVmArea(4096n);
  const differs = /reserve gave 0xffffc90000000000n in another thread, and 0xffffc90000002000n here/;
  expect(() => two.kernel.vmallocinfo()).toThrow(differs);
  expect(() => two.kernel.getVmArea(4096n)).toThrow(differs);
  one.kernel.getVmArea(4096n);
});
