import { type AddressSpace, VM_SPARSE, type VmArea } from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { interruptedAt } from './dying.js';
import { faultsIn } from './inside.js';
import { type Member, teamOf } from './team.js';

const PAGE = 4096n;

type Call = (kernel: AddressSpace, address: bigint) => unknown;

const FREEING: readonly (readonly [string, Call])[] = [
  ['freeVmArea', (kernel, address) => kernel.freeVmArea(kernel.findVmArea(address) as never)],
  ['removeVmArea', (kernel, address) => kernel.removeVmArea(address)],
  [
    'freeVmArea and getVmArea',
    (kernel, address) => {
      kernel.freeVmArea(kernel.findVmArea(address) as never);
      kernel.vmUnmapAliases();
      kernel.getVmArea(2n * PAGE, VM_SPARSE);
    },
  ],
];

/** Calls on pages: by a handle that the thread had before, or by an address, which may be another area's now. */
const USING: readonly (readonly [string, (kernel: AddressSpace, area: VmArea) => unknown])[] = [
  ['map of a handle', (_kernel, area) => area.map(1, [5])],
  ['vmAreaMapPages', (kernel, area) => kernel.vmAreaMapPages(area, area.addr, area.addr + PAGE, [5])],
  [
    'vmapPagesRange',
    (kernel, { addr }) => {
      const { PAGE_KERNEL } = kernel.linux.protections;
      kernel.vmapPagesRange(addr, addr + PAGE, PAGE_KERNEL, [5]);
    },
  ],
];

/** Codes of calls that lost against the other. */
const LOST = ['none', 'EINVAL', 'EBUSY', 'EAGAIN'];

const PAIRS = FREEING.flatMap(([freeing, free]) =>
  USING.map(([using, use]) => [using, freeing, use, free] as const),
);

function pair() {
  const [one, two] = teamOf('x86-64', 2, { tablePages: 64 }).members as [Member, Member];
  const area = one.kernel.getVmArea(4n * PAGE, VM_SPARSE);
  const handle = two.kernel.findVmArea(area.addr) as VmArea;
  return { one: one.kernel, two: two.kernel, address: area.addr, handle };
}

describe('two threads at one area', () => {
  test.each(PAIRS)(
    '%s leaves no page behind when another thread calls %s at any step of it',
    (name, _f, use, free) => {
      let freed = 0;
      for (let step = 0; ; step++) {
        const { one, two, address, handle } = pair();
        let freeing = 'none';
        const using = { code: 'none' };
        const isInside = interruptedAt(
          step,
          () => {
            using.code = codeOf(() => use(two, handle));
          },
          () => {
            freeing = codeOf(() => free(one, address));
          },
        );
        if (!isInside) break;
        if (freeing === 'none') freed++;
        expect(LOST, `step ${step}`).toContain(freeing);
        expect(LOST, `step ${step}`).toContain(using.code);
        expect(faultsIn(two), `step ${step}`).toEqual([]);
        expect(one.vmallocinfo()).toBe(two.vmallocinfo());
        // No handle has mapped into another area at the same addresses.
        if (freeing === 'none' && name !== 'vmapPagesRange')
          expect(one.vmallocToPage(address + PAGE) ?? one.vmallocToPage(address)).toBeNull();
      }
      expect(freed).toBeGreaterThan(0);
    },
  );

  test.each(PAIRS)('%s leaves no page behind at any step of %s', (_u, _f, use, free) => {
    for (let step = 0; ; step++) {
      const { one, two, address, handle } = pair();
      let used = 'none';
      let freed = 'none';
      const isInside = interruptedAt(
        step,
        () => {
          freed = codeOf(() => free(one, address));
        },
        () => {
          used = codeOf(() => use(two, handle));
        },
      );
      if (!isInside) break;
      expect(freed, `step ${step}`).toBe('none');
      expect(LOST, `step ${step}`).toContain(used);
      expect(faultsIn(two), `step ${step}`).toEqual([]);
      expect(one.vmallocinfo()).toBe(two.vmallocinfo());
    }
  });
});
