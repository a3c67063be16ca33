import { createArena } from '@vmarea/arena';
import { AddressSpace, FrameAllocator, PhysicalMemory, Process, recover, share, Threads } from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';
import { beforeEach, expect, test, vi } from 'vitest';

const PAGE = 4096n;
const START = 1n << 44n;

/** What this thread holds, and which lock it took while it had which. */
const notes = vi.hoisted(() => ({ held: [] as string[], orders: new Set<string>() }));

vi.mock('../../../packages/core/src/threads/robust-lock.js', async (importOriginal) => {
  const real = await importOriginal<typeof import('../../../packages/core/src/threads/robust-lock.js')>();
  class NotedLock extends real.RobustLock {
    readonly #name: string;

    constructor(...given: ConstructorParameters<typeof real.RobustLock>) {
      super(...given);
      this.#name = given[4].replace(/ with asid \d+$/, '');
    }

    override acquire(whileWaiting?: () => void): void {
      super.acquire(whileWaiting);
      this.#note();
    }

    override seize(): void {
      super.seize();
      this.#note();
    }

    override release(): void {
      notes.held.splice(notes.held.lastIndexOf(this.#name), 1);
      super.release();
    }

    #note(): void {
      // Processes are taken in the order of their asids, or a parent before its child.
      for (const before of notes.held)
        if (before !== this.#name) notes.orders.add(`${before} → ${this.#name}`);
      notes.held.push(this.#name);
    }
  }
  return { ...real, RobustLock: NotedLock };
});

beforeEach(() => {
  notes.held.length = 0;
  notes.orders.clear();
});

/** All orders that follow from those that were seen. */
function closure(): Set<string> {
  const all = new Set(notes.orders);
  for (let size = -1; size !== all.size; ) {
    size = all.size;
    const pairs = [...all].map((order) => order.split(' → ') as [string, string]);
    for (const [a, b] of pairs) for (const [c, d] of pairs) if (b === c) all.add(`${a} → ${d}`);
  }
  return all;
}

test.each(['6.14', '7.3', 'three-state'] as const)(
  'all calls on arenas, processes and areas take locks in one order, and so does a recovery: %s',
  (release) => {
    const threads = Threads.create({ most: 4, logBytes: 64 << 10 });
    const memory = PhysicalMemory.create({ bytes: 24 << 20, shared: true });
    const frames = new FrameAllocator(memory, { threads });
    const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames, threads });
    const arena = createArena(kernel, { maxEntries: 8, mapExtra: START, release });
    const process = new Process({ kernel });
    arena.mmap(process);
    const child = process.fork();
    arena.allocPages(null, 3);
    process.handleFault(START, 'write');
    process.handleFault(START + 4n * PAGE, 'write');
    arena.freePages(START, 1);
    arena.freePages(START + PAGE, 3);
    arena.freePages(START + 4n * PAGE, 1, { sleepable: false });
    arena.runWorker();
    if (release !== '6.14') arena.reservePages(START, 1);
    const heap = process.mmap({ length: 1 << 16, read: true, write: true });
    process.handleFault(heap, 'write');
    process.munmap(heap, 1n << 16n);
    kernel.vfree(kernel.vmalloc(1 << 16));
    // Outside of the vmalloc window: all roots get its table.
    kernel.getVmAreaNode({
      size: PAGE,
      window: { start: 0xffff_8000_0000_0000n, end: 0xffff_8000_4000_0000n },
    });
    threads.declareDead(share({ kernel, process }).thread);
    expect(recover(threads).threads).toHaveLength(1);
    threads.quiesce();
    child.destroy();
    process.destroy();
    arena.destroy();
    expect(notes.held).toEqual([]);
    const orders = closure();
    const both = [...orders].filter((order) => {
      const [a, b] = order.split(' → ');
      return orders.has(`${b} → ${a}`);
    });
    expect(both).toEqual([]);
    // The order of `docs/threads.md`.
    const documented = ['the process', 'the regions of an arena', 'an arena', 'vm areas'];
    for (const [i, before] of documented.entries())
      for (const after of documented.slice(i + 1)) expect(orders).toContain(`${before} → ${after}`);
    expect(orders).toContain('vm areas → the processes of the kernel');
  },
);
