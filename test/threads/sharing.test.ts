import {
  AddressSpace,
  attach,
  check,
  FrameAllocator,
  PageTable,
  PageTableReader,
  PhysicalMemory,
  recover,
  share,
  sparseBank,
  Threads,
  takeSnapshot,
  VM_SPARSE,
  VmError,
} from '@vmarea/core';
import { riscv64, riscv64Linux } from '@vmarea/riscv64';
import { x8664, x8664Linux } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';
import { programOf, runThread } from '../../packages/core/test/threads/worker.js';
import type { Seen, Told } from './sharing-thread.js';

const formats = [x8664()];
const policies = [x8664Linux()];

function machine(most = 4) {
  const threads = Threads.create({ most, logBytes: 64 << 10 });
  const memory = PhysicalMemory.create({ bytes: 4 << 20, shared: true });
  const frames = new FrameAllocator(memory, { threads });
  const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames, threads });
  const table = new PageTable({ format: x8664(), memory, frames, threads });
  return { threads, memory, frames, kernel, table };
}

function refusal(call: () => unknown): string {
  try {
    call();
    return 'done';
  } catch (error) {
    if (error instanceof VmError) return error.message;
    throw error;
  }
}

/** What another thread would get: a clone. */
function posted<T>(description: T): T {
  return structuredClone(description);
}

describe('share and attach', () => {
  test('give the thread that shared the objects that it has', () => {
    const { threads, memory, frames, kernel, table } = machine();
    const shared = attach(posted(share({ memory, frames, kernel, table })), { formats, policies });
    expect(shared.memory).toBe(memory);
    expect(shared.frames).toBe(frames);
    expect(shared.kernel).toBe(kernel);
    expect(shared.table).toBe(table);
    expect(shared.threads).toBe(threads);
    // The invitation went back.
    expect(threads.count).toBe(1);
    for (let i = 0; i < 10; i++) attach(posted(share({ kernel })), { formats, policies });
  });

  test('give another thread the same bytes, tables and areas', async () => {
    const { threads, kernel, table, memory, frames } = machine();
    const area = kernel.getVmArea(64 * 4096, VM_SPARSE);
    area.map(0, 0x1234);
    const description = share({ kernel, table, memory, frames });
    const told: Told = { description, address: area.addr };
    const seen = await runThread<Seen>(programOf(new URL('./sharing-thread.ts', import.meta.url)), told);
    expect(seen.frame).toBe(0x1234);
    expect(area.frameAt(1)).toBe(0x99);
    expect(memory.read32(BigInt(seen.pfn) << 12n)).toBe(0x600df00d);
    expect(frames.isAllocated(seen.pfn)).toBe(true);
    expect(table.translate(0x7000n)).toBe(0x55000n);
    expect(kernel.findVmArea(seen.vmalloc)?.pages).toBe(2);
    // Its own, at once, and not again at its quiescent point.
    expect(seen.flushes).toEqual([`${area.addr} 4096`]);
    expect(seen.again).toMatch(/^EINVAL: this description was used before/);
    expect(threads.declareDead(description.thread)).toBe(false);
    expect(check(threads).findings).toEqual([]);
  });

  test.each([
    ['nothing', () => share({}), /^EINVAL: share\(\) needs an object with names, not an object/],
    ['a list', () => share([] as never), /^EINVAL: share\(\) needs an object with names, not an array/],
    ['a number', () => share({ kernel: 5 as never }), /^EINVAL: `kernel` is 5, which threads cannot share/],
    ['a memory alone', () => share({ memory: machine().memory }), /^EINVAL: a memory alone has no threads/],
    [
      'the name of the threads',
      () => share({ threads: machine().frames }),
      /^EINVAL: the name `threads` is taken/,
    ],
    [
      'an allocator of one thread',
      () => share({ frames: new FrameAllocator(PhysicalMemory.create({ bytes: 1 << 20 })) }),
      /^EINVAL: this allocator is for one thread/,
    ],
    [
      'two groups',
      () => share({ one: machine().frames, two: machine().frames }),
      /^EINVAL: these objects belong to different groups of threads/,
    ],
  ])('refuse %s', (_what, call, message) => {
    expect(refusal(call)).toMatch(message);
  });

  test('refuse more threads than the group has slots', () => {
    const { frames } = machine(2);
    share({ frames });
    expect(refusal(() => share({ frames }))).toMatch(/^EAGAIN: all 2 slots of the group are taken/);
  });

  test.each([
    [
      'no description',
      () => attach(undefined as never),
      /^EINVAL: attach\(\) needs a description, not undefined/,
    ],
    ['a missing format', (given: never) => attach(given), /^EINVAL: `formats` lacks x86-64/],
    [
      'another format',
      (given: never) => attach(given, { formats: [riscv64()], policies: [riscv64Linux()] }),
      /^EINVAL: `formats` lacks x86-64/,
    ],
    [
      'a missing policy',
      (given: never) => attach(given, { formats }),
      /^EINVAL: `policies` lacks Linux x86-64/,
    ],
    [
      'formats that are no list',
      (given: never) => attach(given, { formats: x8664() as never }),
      /^EINVAL: `formats` is an object, expected an array/,
    ],
    [
      'a sink for nothing',
      (given: never) => attach(given, { formats, policies, sinks: { kernl: { flush() {} } } }),
      /^EINVAL: sinks has `kernl`, and the description has kernel/,
    ],
    [
      'an unknown option',
      (given: never) => attach(given, { formats, policy: policies } as never),
      /^EINVAL: attach\(\) has no option `policy`/,
    ],
  ])('refuse %s, and take no place', (_what, call, message) => {
    const { threads, kernel } = machine();
    const description = share({ kernel });
    expect(refusal(() => call(description as never))).toMatch(message);
    expect(threads.count).toBe(1);
  });

  test('refuse what was made for one thread', () => {
    const { threads, memory, frames } = machine();
    const own = PhysicalMemory.create({ bytes: 1 << 20 });
    expect(refusal(() => new FrameAllocator(own, { threads }))).toMatch(/^EINVAL/);
    expect(refusal(() => new FrameAllocator(memory, { threads: {} as never }))).toMatch(
      /^EINVAL: threads is/,
    );
    expect(
      refusal(
        () => new PageTable({ format: x8664(), memory: own, frames: new FrameAllocator(own), threads }),
      ),
    ).toMatch(/^EINVAL/);
    expect(refusal(() => Threads.create({ most: 0 }))).toMatch(/^EINVAL/);
    expect(refusal(() => Threads.create({ mots: 2 } as never))).toMatch(
      /^EINVAL: Threads.create\(\) has no option `mots`/,
    );
    expect(frames.stats().allocated).toBe(2);
  });
});

describe('Threads', () => {
  test('a thread is not dead because somebody says so of another', () => {
    const { threads, frames } = machine();
    expect(refusal(() => threads.declareDead(threads.id))).toMatch(/^EINVAL: this thread is alive/);
    for (const id of [0, -1, 1.5, 99, '1' as never])
      expect(refusal(() => threads.declareDead(id))).toMatch(/^EINVAL: .* names no thread/);
    const { thread } = share({ frames });
    expect(threads.declareDead(thread)).toBe(true);
    expect(threads.declareDead(thread)).toBe(false);
    expect(threads.dead).toEqual([thread]);
    expect(recover(threads).threads).toEqual([thread]);
    expect(threads.dead).toEqual([]);
    expect(recover(threads)).toMatchObject({ threads: [], givenBack: [], held: [] });
  });

  test('tells who is there', () => {
    const { threads, frames } = machine();
    expect(String(threads)).toMatch(/^Threads: 1 of 4 attached, this one is \d+$/);
    threads.declareDead(share({ frames }).thread);
    expect(String(threads)).toContain('1 died');
  });

  test('frees a table once all threads have passed a quiescent point', () => {
    const { threads, table, frames } = machine();
    const before = frames.stats().allocated;
    table.map(0x1000n, [7], x8664Linux().protections.PAGE_KERNEL);
    table.unmap(0x1000n, 4096, { reclaim: true });
    expect(frames.stats().allocated).toBe(before + 3);
    expect(threads.pending).toBeGreaterThan(0);
    threads.quiesce();
    expect(threads.pending).toBe(0);
    expect(frames.stats().allocated).toBe(before);
  });

  test('that have left do nothing any more', () => {
    const { threads, frames } = machine();
    expect(threads.leave()).toBe(true);
    expect(refusal(() => threads.quiesce())).toMatch(/^EINVAL: this thread has left the group/);
    expect(refusal(() => frames.allocate())).toMatch(/^EINVAL: this thread has left the group/);
  });

  test('take no snapshots of what they share', () => {
    expect(refusal(() => takeSnapshot(machine().table))).toMatch(
      /^EINVAL: threads share page tables in this memory/,
    );
  });
});

describe('check', () => {
  test('finds nothing wrong in what calls have made', () => {
    const { threads, kernel, frames, table } = machine();
    const address = kernel.vmalloc(5 * 4096);
    kernel.getLazyArea(1 << 20).touch(3);
    for (const thing of [threads, kernel, frames, table, kernel.table])
      expect(check(thing).findings).toEqual([]);
    expect(check(kernel).leaves).toBe(6);
    kernel.vfree(address);
  });

  test('finds a leaf outside all areas, an owned page that is not mapped, and a frame that was freed', () => {
    const memory = PhysicalMemory.create({ bytes: 4 << 20 });
    const frames = new FrameAllocator(memory);
    const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames });
    const address = kernel.vmalloc(3 * 4096);
    const entryAt = (va: bigint): bigint => kernel.table.walk(va).steps.at(-1)?.address as bigint;
    const leaf = memory.read64(entryAt(address));
    const guard = entryAt(address) + 8n * 3n;
    memory.write64(guard, leaf);
    memory.write64(guard + 8n, leaf);
    memory.write64(entryAt(address + 4096n), 0n);
    const third = kernel.vmallocToPfn(address + 2n * 4096n);
    frames.free(third);
    const texts = check(kernel).findings.map(({ text }) => text);
    expect(texts).toContainEqual(expect.stringMatching(/1 page of a guard mapped$/));
    expect(texts).toContainEqual(expect.stringMatching(/1 page mapped outside every live area$/));
    expect(texts).toContainEqual(expect.stringMatching(/1 page owned by the area and not mapped$/));
    expect(texts).toContainEqual(expect.stringMatching(/not allocated or not marked$/));
    expect(memory.read64(guard)).toBe(leaf);
  });

  test('reads an image', () => {
    const bank = sparseBank({ pageShift: 12, addresses: [0n], bytes: new Uint8Array(4096) });
    const memory = PhysicalMemory.of([bank]);
    const reader = new PageTableReader({ format: x8664(), memory, root: 0n });
    expect(check(reader)).toEqual({ tables: 1, leaves: 0, findings: [] });
  });

  test('refuses what it cannot check', () => {
    expect(refusal(() => check(5 as never))).toMatch(/^EINVAL: check\(\) cannot check 5/);
  });
});
