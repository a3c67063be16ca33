import { AddressSpace, VM_SPARSE } from '@vmarea/core';
import { codeOf, refusal } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { configuration, kernelOf } from './support/kernel.js';

const PAGE = 4096;

/** A proxy that answers nothing any more: every look at it throws a TypeError. */
function revoked(target: object = {}): never {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy as never;
}

describe('a revoked proxy is refused with EINVAL, and changes nothing', () => {
  const { kernel, ram } = kernelOf('x86-64');
  const address = kernel.vmallocUser(PAGE);
  const area = kernel.getVmArea(4 * PAGE, VM_SPARSE);
  const state = () => [ram.stats(), kernel.stats(), area.populated()];
  const before = state();
  const none = revoked();
  const list = revoked([]);
  const call = revoked(() => 0);
  test.each([
    ['the options of vmalloc', () => kernel.vmalloc(PAGE, none)],
    ['a caller', () => kernel.vmalloc(PAGE, { caller: none })],
    ['a size', () => kernel.vmalloc(none)],
    ['an address', () => kernel.vfree(none)],
    ['a request', () => kernel.vmallocNodeRange(none)],
    ['a window', () => kernel.getVmAreaNode({ size: PAGE, window: none })],
    ['an area', () => kernel.freeVmArea(none)],
    ['areas', () => kernel.pcpuFreeVmAreas(list)],
    ['offsets', () => kernel.pcpuGetVmAreas(list, [PAGE], 4096n)],
    ['sizes', () => kernel.pcpuGetVmAreas([0], list, 4096n)],
    ['frames', () => kernel.vmap(list)],
    ['frames of an area', () => area.map(0, list)],
    ['a protection', () => kernel.vmap([1], 0, none)],
    ['a protection of an area', () => area.map(0, 1, none)],
    ['fields to change', () => area.protect(0, 1, none)],
    ['a callback', () => kernel.applyToPageRange(address, PAGE, call)],
    ['a lazy area', () => kernel.getLazyArea(PAGE, none)],
    ['the frames of a lazy area', () => kernel.getLazyArea(PAGE, { frames: none })],
    ['populate', () => kernel.getLazyArea(PAGE, { populate: call })],
    ['a region', () => kernel.remapVmallocRange(none, address)],
  ])('as %s', (_name, refused) => {
    expect(refusal(refused).code).toBe('EINVAL');
    expect(state()).toEqual(before);
  });

  const { format, linux: policy, memory, frames } = kernelOf('x86-64');
  const parts = { format, linux: policy, memory, frames };
  test.each(
    ['format', 'linux', 'memory', 'frames', 'ram', 'sink', 'directMap', 'early', 'controls'].map((name) => [
      name,
    ]),
  )('as the option %s of an address space', (name) => {
    const { allocated } = frames.stats();
    expect(codeOf(() => new AddressSpace({ ...parts, [name]: none }))).toBe('EINVAL');
    expect(frames.stats().allocated).toBe(allocated);
  });
});

describe('a policy that lacks a part is refused with EINVAL, and no frame is lost', () => {
  const { format, linux } = configuration('x86-64');
  test.each([
    ['no protections', { protections: undefined }],
    ['null for protections', { protections: null }],
    ['protections without PAGE_KERNEL', { protections: {} }],
    ['revoked protections', { protections: revoked() }],
    ['no leaves', { leaves: undefined }],
    ['null for leaves', { leaves: null }],
    ['revoked leaves', { leaves: revoked() }],
    ['revoked sizes', { leaves: { ...linux.leaves, vmap: revoked([]) } }],
    ['no window', { window: undefined }],
    ['null for a window', { window: null }],
    ['a revoked window', { window: revoked() }],
    ['revoked formats', { formats: revoked([]) }],
  ])('with %s', (_name, part) => {
    const { memory, frames } = kernelOf('x86-64');
    const before = frames.stats();
    const policy = { ...linux, ...part } as never;
    expect(codeOf(() => new AddressSpace({ format, linux: policy, memory, frames }))).toBe('EINVAL');
    expect(frames.stats()).toEqual(before);
  });
});
