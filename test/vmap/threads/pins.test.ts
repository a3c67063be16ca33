import { type AddressSpace, VM_MAP, VM_SPARSE } from '@vmarea/core';
import { refusal } from '@vmarea/testkit';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { AddressSpace as Space } from '../../../packages/core/src/vmap/address-space.js';
import { type Member, teamOf } from './team.js';

const PAGE = 4096n;

function pair(): [Member, Member] {
  return teamOf('x86-64', 2).members as [Member, Member];
}

/** Runs something while a thread is in a call on the first page of an area. */
function inside(kernel: AddressSpace, address: bigint, run: () => void): void {
  kernel.applyToPageRange(address, PAGE, () => run());
}

afterEach(() => vi.restoreAllMocks());

describe('an area with a call of another thread in it', () => {
  test('is not freed: EBUSY, and nothing is changed', () => {
    const [one, two] = pair();
    const area = one.kernel.getVmArea(4n * PAGE, VM_SPARSE);
    one.kernel.vmAreaMapPages(area, area.addr, area.addr + PAGE, [7]);
    const before = one.kernel.vmallocinfo({ detail: true });
    inside(two.kernel, area.addr, () => {
      expect(refusal(() => one.kernel.freeVmArea(area)).message).toMatch(
        /^EBUSY at 0xffffc90000000000: another thread is in a call on the pages/,
      );
      expect(refusal(() => one.kernel.pcpuFreeVmAreas([area])).code).toBe('EBUSY');
      expect(refusal(() => one.kernel.removeVmArea(area.addr)).code).toBe('EBUSY');
      expect(refusal(() => one.kernel.setMemoryRo(area.addr, 1)).code).toBe('EBUSY');
    });
    expect(one.kernel.vmallocinfo({ detail: true })).toBe(before);
    one.kernel.freeVmArea(area);
    expect(two.kernel.findVmArea(area.addr)).toBeNull();
  });

  test('does not keep others from freeing other areas', () => {
    const [one, two] = pair();
    const area = one.kernel.getVmArea(4n * PAGE, VM_SPARSE);
    const other = one.kernel.getVmArea(4n * PAGE, VM_SPARSE);
    inside(two.kernel, area.addr, () => one.kernel.freeVmArea(other));
    expect(two.kernel.findVmArea(other.addr)).toBeNull();
  });

  test('is freed after a thread died in it only by a recovery: EOWNERDEAD', () => {
    const [one, two] = pair();
    const area = one.kernel.getVmArea(4n * PAGE, VM_SPARSE);
    inside(two.kernel, area.addr, () => {
      one.group.registry.declareDead(two.group.token);
      expect(refusal(() => one.kernel.freeVmArea(area)).code).toBe('EOWNERDEAD');
    });
  });
});

describe('an area that a thread frees', () => {
  test('lets no other thread in', () => {
    const [one, two] = pair();
    const lazy = one.kernel.getLazyArea(4n * PAGE);
    lazy.touch(0);
    const { addr } = lazy.area;
    // The thread that frees holds the lock, and this thread is both. So it must not wait.
    const wait = vi.spyOn(Atomics, 'wait');
    const errors: unknown[] = [];
    const push = one.flushes.push.bind(one.flushes);
    one.flushes.push = (...list) => {
      wait.mockImplementation(() => {
        throw new TypeError('no wait');
      });
      errors.push(refusal(() => two.kernel.handleFault(addr + PAGE)).code);
      errors.push(refusal(() => two.kernel.findVmArea(addr)?.protect(0, 1, { write: false })).code);
      return push(...list);
    };
    one.kernel.vfree(addr);
    expect(errors).toEqual(['EAGAIN', 'EAGAIN']);
    wait.mockRestore();
    expect(two.kernel.findVmArea(addr)).toBeNull();
  });

  test('refuses calls of handles in other threads afterwards', () => {
    const [one, two] = pair();
    const area = one.kernel.getVmArea(4n * PAGE, VM_SPARSE);
    const same = two.kernel.findVmArea(area.addr);
    one.kernel.freeVmArea(area);
    // The same addresses, but another area.
    one.kernel.vmUnmapAliases();
    expect(one.kernel.getVmArea(4n * PAGE, VM_SPARSE).addr).toBe(area.addr);
    expect(refusal(() => same?.map(0, 5)).message).toMatch(/^EINVAL at .*: the area was freed/);
    expect(
      refusal(() => two.kernel.vmAreaMapPages(same as never, area.addr, area.addr + PAGE, [5])).code,
    ).toBe('EINVAL');
    expect(same?.isLive).toBe(false);
    expect(one.kernel.findVmArea(area.addr)?.frameAt(0)).toBe(-1);
  });
});

describe('a page call of one thread', () => {
  test('is seen by the others, and takes nothing from the log', () => {
    const [one, two] = pair();
    const area = one.kernel.getVmArea(4n * PAGE, VM_SPARSE);
    const same = two.kernel.findVmArea(area.addr);
    same?.map(1, 0x77);
    expect(area.frameAt(1)).toBe(0x77);
    expect(refusal(() => area.map(1, 0x78)).code).toBe('EBUSY');
    area.unmap(1);
    expect(same?.frameAt(1)).toBe(-1);
  });

  test('that removes pages is refused in an area that owns its frames', () => {
    const [one, two] = pair();
    const address = one.kernel.vmalloc(3n * PAGE);
    for (const { kernel } of [one, two]) {
      expect(refusal(() => kernel.vunmapRange(address, address + PAGE)).message).toMatch(/owns its frames/);
      expect(refusal(() => kernel.findVmArea(address)?.unmap(0)).code).toBe('EINVAL');
      expect(refusal(() => kernel.applyToExistingPageRange(address, PAGE, () => {})).code).toBe('EINVAL');
    }
    two.kernel.vfree(address);
  });

  test('is refused in a getter of another page call', () => {
    const [one] = pair();
    const area = one.kernel.getVmArea(4n * PAGE, VM_SPARSE);
    const list = Object.defineProperty([9], 0, {
      get: () => {
        area.map(3, 4);
        return 9;
      },
    });
    expect(refusal(() => area.map(0, list)).code).toBe('EBUSY');
    expect(area.populated().pages).toBe(0);
  });
});

describe('frames that an area owns', () => {
  test('are freed by any thread, exactly once', () => {
    const { members, ram } = teamOf('x86-64', 2);
    const [one, two] = members as [Member, Member];
    const { free } = ram.stats();
    const given = [ram.allocate(), ram.allocate()];
    for (const address of [
      one.kernel.vmalloc(700n * PAGE),
      one.kernel.vmallocHuge(600n * PAGE),
      one.kernel.vmap(given, VM_MAP | 0x200),
    ]) {
      const [mine, others] = [one, two].map(({ kernel }) => kernel.findVmArea(address));
      expect(others?.ownedFrames()).toEqual(mine?.ownedFrames());
      expect(others?.pageOrder).toBe(mine?.pageOrder);
      two.kernel.vfree(address);
      expect(refusal(() => one.kernel.vfree(address)).code).toBe('EINVAL');
    }
    expect(ram.stats().free).toBe(free);
  });
});

describe('a lazy area', () => {
  test('is populated, shrunk and freed by any thread', () => {
    const { members, ram } = teamOf('x86-64', 2);
    const [one, two] = members as [Member, Member];
    const { free } = ram.stats();
    const lazy = one.kernel.getLazyArea(64n * PAGE, { chunkShift: 14 });
    const { addr } = lazy.area;
    expect(two.kernel.handleFault(addr)).toBe(true);
    expect(one.kernel.handleFault(addr + PAGE)).toBe(false);
    lazy.populate(0, 16);
    expect(lazy.stats.populated).toBe(16);
    const other = two.kernel.findLazyArea(addr);
    expect(other?.stats.populated).toBe(16);
    expect(other?.shrink(0, 8)).toBe(8);
    expect(lazy.stats.populated).toBe(8);
    expect(refusal(() => lazy.prepare()).message).toMatch(/populate it/);
    two.kernel.vfree(addr);
    expect(ram.stats().free).toBe(free);
    expect(refusal(() => lazy.touch(0)).code).toBe('EINVAL');
  });

  test('gives the frames of a chunk back that another thread maps meanwhile', () => {
    const { members, ram } = teamOf('x86-64', 2);
    const [one, two] = members as [Member, Member];
    const lazy = one.kernel.getLazyArea(64n * PAGE);
    const allocate = ram.allocate.bind(ram);
    let isFirst = true;
    vi.spyOn(ram, 'allocate').mockImplementation((order) => {
      if (isFirst) {
        isFirst = false;
        expect(two.kernel.handleFault(lazy.area.addr)).toBe(true);
      }
      return allocate(order);
    });
    const { free } = ram.stats();
    expect(lazy.touch(0)).toBe(false);
    expect(ram.stats().free).toBe(free - 1);
  });

  test('tells of a chunk that another thread has begun and does not end', () => {
    const [one, two] = pair();
    const { addr } = one.kernel.getLazyArea(64n * PAGE, { chunkShift: 14 }).area;
    const { table, linux } = Space.spaceOf(one.kernel);
    table.map(addr, [0x123], linux.protections.PAGE_KERNEL);
    expect(two.kernel.handleFault(addr)).toBe(false);
    expect(refusal(() => two.kernel.handleFault(addr + PAGE)).message).toMatch(/^EBUSY .* call recover\(\)$/);
  });

  test('keeps its limit in all threads', () => {
    const [one, two] = pair();
    const { addr } = one.kernel.getLazyArea(64n * PAGE, { limit: 2n * PAGE }).area;
    expect(two.kernel.handleFault(addr)).toBe(true);
    expect(one.kernel.handleFault(addr + PAGE)).toBe(true);
    expect(refusal(() => two.kernel.handleFault(addr + 2n * PAGE)).code).toBe('ENOMEM');
  });

  test('with a populate function grows only in the thread that has it', () => {
    const [one, two] = pair();
    const lazy = one.kernel.getLazyArea(4n * PAGE, { populate: () => [0x123] });
    const { addr } = lazy.area;
    lazy.touch(0);
    expect(two.kernel.vmallocinfo()).toBe(one.kernel.vmallocinfo());
    for (const call of [() => two.kernel.handleFault(addr), () => two.kernel.vfree(addr)])
      expect(refusal(call).message).toMatch(/function or allocator of another thread; call it in the thread/);
    expect(two.kernel.vmallocToPage(addr)).toBe(0x123);
    one.kernel.vfree(addr);
    expect(two.kernel.vmallocinfo()).toMatch(/unpurged/);
  });

  test('with a populate function is freed by others after its thread is gone', () => {
    const [one, two] = pair();
    const { addr } = two.kernel.getLazyArea(4n * PAGE, { populate: () => [0x123] }).area;
    two.group.leave();
    one.kernel.vfree(addr);
    expect(one.kernel.findVmArea(addr)).toBeNull();
  });
});
