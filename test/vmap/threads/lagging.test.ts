import { VM_SPARSE } from '@vmarea/core';
import { refusal } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { ThreadGroup } from '../../../packages/core/src/threads/thread-group.js';
import { adoptSpace, describeSpace } from '../../../packages/core/src/vmap/share-space.js';
import { logCounts } from './inside.js';
import { type Member, NO_CALLS, teamOf } from './team.js';

const PAGE = 4096n;

/** Makes and frees areas until the log has begun a number of halves more. */
function churn({ kernel }: Member, checkpoints: number): void {
  const until = logCounts(kernel).checkpoints + checkpoints;
  while (logCounts(kernel).checkpoints < until) kernel.freeVmArea(kernel.getVmArea(PAGE, VM_SPARSE));
}

describe('a thread that lags', () => {
  test('replays what is left of the half before, and so tells its sink of exactly those purges', () => {
    const { members } = teamOf('x86-64', 2, { logBytes: 64 << 10 });
    const [one, two] = members as [Member, Member];
    const kept = two.kernel.getVmArea(3n * PAGE, VM_SPARSE);
    churn(one, 1);
    one.kernel.vmUnmapAliases();
    const [flush] = one.flushes.slice(-1);
    expect(two.flushes).toEqual([]);
    expect(two.kernel.vmallocinfo()).toBe(one.kernel.vmallocinfo());
    expect(two.flushes).toEqual([flush]);
    expect(two.kernel.findVmArea(kept.addr)).toBe(kept);
  });

  test('begins from a checkpoint when its half is gone, keeps its handles, and flushes everything', () => {
    const { members } = teamOf('x86-64', 2, { logBytes: 64 << 10 });
    const [one, two] = members as [Member, Member];
    const kept = two.kernel.getVmArea(3n * PAGE, VM_SPARSE);
    const gone = two.kernel.getVmArea(5n * PAGE, VM_SPARSE);
    one.kernel.freeVmArea(one.kernel.findVmArea(gone.addr) as never);
    churn(one, 1);
    one.kernel.vmUnmapAliases();
    churn(one, 2);
    expect(two.flushes).toEqual([]);
    expect(two.kernel.vmallocinfo()).toBe(one.kernel.vmallocinfo());
    expect(two.kernel.findVmArea(kept.addr)).toBe(kept);
    expect([kept.isLive, gone.isLive]).toEqual([true, false]);
    expect(two.flushes).toContainEqual({ va: 0xffff_8000_0000_0000n, bytes: 1n << 47n });
    expect(two.kernel.getVmArea(PAGE).addr).toBeGreaterThan(kept.addr);
    expect(one.kernel.vmallocinfo()).toBe(two.kernel.vmallocinfo());
  });

  test('does not flush everything when it missed no purge', () => {
    const { members } = teamOf('x86-64', 2, { logBytes: 64 << 10 });
    const [one, two] = members as [Member, Member];
    churn(one, 3);
    expect(two.kernel.vmallocinfo()).toBe(one.kernel.vmallocinfo());
    expect(two.flushes).toEqual([]);
  });

  test('learns of others at its quiescent points', () => {
    const { members } = teamOf('x86-64', 2);
    const [one, two] = members as [Member, Member];
    one.kernel.vfree(one.kernel.vmalloc(PAGE));
    one.kernel.vmUnmapAliases();
    two.group.quiesce();
    expect(two.flushes).toEqual(one.flushes);
  });
});

describe('a thread that attaches late', () => {
  test.each([1, 4])('has the same areas, with %i processors', (cpus) => {
    const { members, attach } = teamOf('x86-64', 1, { cpus, logBytes: 256 << 10 });
    const [one] = members as [Member];
    const held: bigint[] = [];
    for (let i = 0; i < 300; i++) {
      one.kernel.cpu = i % cpus;
      held.push(one.kernel.vmalloc(BigInt(1 + (i % 5)) * PAGE));
      if (i % 3 > 0) one.kernel.vfree(held.splice((7 * i) % held.length, 1)[0] as bigint);
      if (i % 50 === 49) one.kernel.vmUnmapAliases();
    }
    one.kernel.vmMapRam([1, 2, 3]);
    const late = attach();
    expect(late.kernel.vmallocinfo({ detail: true })).toBe(one.kernel.vmallocinfo({ detail: true }));
    expect(late.flushes).toEqual([]);
    for (const address of held) late.kernel.vfree(address);
    expect(one.kernel.vmallocinfo()).toBe(late.kernel.vmallocinfo());
    late.kernel.cpu = 0;
    one.kernel.cpu = 0;
    const next = late.kernel.vmalloc(PAGE);
    expect(one.kernel.findVmArea(next)?.ownedFrames()).toEqual(late.kernel.findVmArea(next)?.ownedFrames());
    expect(one.kernel.vmMapRam([9])).toBe(late.kernel.vmMapRam([9]) - PAGE);
  });

  test('has the options, the early areas and the direct map of the space', () => {
    const start = 0xffff_c900_0100_0000n;
    const { members, attach } = teamOf('x86-64', 1, {
      ramFrames: 512,
      directMap: { base: 0xffff_8880_0000_0000n },
      early: [{ address: start, bytes: 0x3000, caller: 'boot' }],
      release: '2026',
      totalRamPages: 300,
      blockPages: 256,
      autoPurge: false,
    });
    const [one] = members as [Member];
    const late = attach();
    expect(describeSpace(late.kernel)).toEqual(describeSpace(one.kernel));
    expect(late.kernel.findVmArea(start)?.caller).toBe('boot');
    expect(String(late.kernel)).toBe(String(one.kernel));
  });

  test('is refused with another format, and after the space was destroyed', () => {
    const { members, format, linux, memory, frames } = teamOf('x86-64', 1);
    const [{ kernel, group }] = members as [Member];
    const description = structuredClone(describeSpace(kernel));
    const adopt = (parts: object) =>
      adoptSpace(
        description,
        { format, linux, memory, frames, ...parts },
        group,
        () => {
          throw new Error('not reached');
        },
        NO_CALLS,
      );
    expect(refusal(() => adopt({ format: { ...format, name: 'other' } })).message).toMatch(
      /has the format x86-64/,
    );
    kernel.destroy();
    expect(refusal(() => adopt({})).message).toBe('EINVAL: the address space was destroyed');
    expect(refusal(() => describeSpace(kernel)).code).toBe('EINVAL');
  });

  test('lets nobody destroy the space', () => {
    const { members } = teamOf('x86-64', 2);
    const [one, two] = members as [Member, Member];
    expect(refusal(() => one.kernel.destroy()).code).toBe('EBUSY');
    two.group.leave();
    one.kernel.destroy();
    expect(new ThreadGroup(one.group.buffers, one.group.registry.invite()).slot).toBe(1);
  });
});

describe('a log that is too small', () => {
  test('refuses a call before it changes anything', () => {
    const { members } = teamOf('x86-64', 2, { logBytes: 32 << 10 });
    const [one, two] = members as [Member, Member];
    const held: bigint[] = [];
    const error = refusal(() => {
      for (;;) held.push(one.kernel.getVmArea(PAGE, VM_SPARSE).addr);
    });
    expect(error.message).toMatch(
      /^ENOMEM: the area log is full: \d+ areas are live; share the space with a larger log/,
    );
    expect([...one.kernel.vmallocinfo().matchAll(/\n/g)].length).toBe(held.length);
    expect(two.kernel.vmallocinfo()).toBe(one.kernel.vmallocinfo());
  });

  test('refuses a call with too many areas', () => {
    const { members } = teamOf('x86-64', 2, { logBytes: 64 << 10 });
    const [one, two] = members as [Member, Member];
    const offsets = Array.from({ length: 200 }, (_, i) => 4096 * i);
    const sizes = offsets.map(() => 4096);
    expect(refusal(() => one.kernel.pcpuGetVmAreas(offsets, sizes, PAGE)).message).toMatch(
      /^ENOMEM: the area log has no room/,
    );
    expect(one.kernel.vmallocinfo()).toBe('');
    expect(two.kernel.getVmArea(PAGE).addr).toBe(0xffff_c900_0000_0000n);
  });
});
