import { VM_SPARSE } from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { framesFrom, kernelOf } from '../support/kernel.js';

const PAGE = 4096;

describe('callbacks', () => {
  test('D18: applyToPageRange that meets a huge leaf is EINVAL and changes nothing', () => {
    const { kernel, linux, frames, at } = kernelOf('x86-64');
    const { PAGE_KERNEL } = linux.protections;
    kernel.getVmAreaNode({ size: 1024 * PAGE, align: 1n << 21n });
    kernel.vmapPagesRange(at(512), at(1024), PAGE_KERNEL, framesFrom(512, 512), 21);
    const before = [[...kernel.table.leaves()], frames.stats()];
    let visits = 0;
    const call = () =>
      kernel.applyToPageRange(at(500), 20 * PAGE, (slot) => {
        visits++;
        slot.setLeaf(1, PAGE_KERNEL);
      });
    expect(codeOf(call)).toBe('EINVAL');
    expect([[...kernel.table.leaves()], frames.stats()]).toEqual(before);
    expect(visits).toBeLessThanOrEqual(12);
  });

  test('D19: applyToExistingPageRange visits pages after a hole in a table', () => {
    const { kernel } = kernelOf('x86-64');
    const area = kernel.getVmArea(600 * PAGE, VM_SPARSE);
    for (const page of [3, 7, 511, 599]) area.map(page, page);
    const seen: number[] = [];
    kernel.applyToExistingPageRange(area.addr, area.bytes, (slot) => {
      seen.push(slot.page);
    });
    expect(seen).toEqual([3, 7, 511, 599]);
  });

  test('D20: applyToPageRange flushes once the mappings that it removed, and nothing else', () => {
    const { kernel, linux, flushes, at } = kernelOf('x86-64');
    const { PAGE_KERNEL } = linux.protections;
    const area = kernel.getVmArea(600 * PAGE, VM_SPARSE);
    kernel.applyToPageRange(area.addr, area.bytes, (slot) => {
      if (slot.page % 2 === 0) slot.setLeaf(slot.page + 1, PAGE_KERNEL);
    });
    expect(flushes).toEqual([]);
    kernel.applyToPageRange(area.addr, area.bytes, (slot) => {
      if (slot.page >= 100 && slot.page < 550) slot.set(0, 0);
    });
    expect(flushes).toHaveLength(1);
    const [{ va, bytes }] = flushes as [{ va: bigint; bytes: bigint }];
    expect(va <= at(100) && va + bytes >= at(549)).toBe(true);
    expect(va >= at(0) && va + bytes <= at(600)).toBe(true);
  });

  test('D34: a call from a flush or a callback is EBUSY, and the outer call goes on', () => {
    const codes: string[] = [];
    const made = kernelOf('x86-64', { onFlush: () => codes.push(codeOf(() => made.kernel.vmalloc(1))) });
    const { kernel, linux, ram } = made;
    const area = kernel.getVmArea(4 * PAGE, VM_SPARSE);
    kernel.applyToPageRange(area.addr, PAGE, (slot) => {
      codes.push(codeOf(() => area.map(2, 5)));
      slot.setLeaf(7, linux.protections.PAGE_KERNEL);
    });
    area.unmap(0);
    const lazy = kernel.getLazyArea(PAGE, {
      populate: () => {
        codes.push(codeOf(() => kernel.vfree(area.addr)));
        return [9];
      },
      release: () => codes.push(codeOf(() => kernel.freeVmArea(area))),
    });
    lazy.touch(0);
    lazy.shrink();
    expect(codes.length).toBeGreaterThanOrEqual(4);
    expect(new Set(codes)).toEqual(new Set(['EBUSY']));
    expect([area.isLive, area.populated().pages, ram.stats().allocated]).toEqual([true, 0, 0]);
  });
});
