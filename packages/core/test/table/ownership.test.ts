import { takenFrames } from '@vmarea/conformance';
import {
  attachFrames,
  FrameAllocator,
  PageTable,
  PhysicalMemory,
  protection,
  type WalkStep,
  wasmLoops,
} from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../formats/arm64.js';
import { wideRoot } from '../formats/index.js';
import { fingerprint } from '../support/digest.js';

const WRITE = protection({ write: true, global: true });
const MiB = 1024 * 1024;
const arm = arm64({ granule: 4, vaBits: 48 });
const BASE = 0xffff000000000000n;
/** Bytes that one entry of the root covers. */
const SLOT = 1n << 39n;

const stepAt = (table: PageTable, va: bigint, level: number): WalkStep =>
  table.walk(va).steps[level] as WalkStep;
const pfnOf = (step: WalkStep): number => Number(step.table >> 12n);

describe('two roots that share a subtree', () => {
  /** A process whose first root entry is the kernel's; its second is its own. */
  function shared() {
    const kernel = machine(arm);
    const { memory, frames } = kernel;
    kernel.table.map(BASE, [1, 2], WRITE);
    const process = new PageTable({ format: arm, memory, frames });
    memory.write64(process.root, memory.read64(kernel.table.root));
    process.map(BASE + SLOT, [3], WRITE);
    return { kernel: kernel.table, process, memory, frames };
  }

  test('both show what either maps in it', () => {
    const { kernel, process } = shared();
    process.map(BASE + 0x2000n, [5], WRITE);
    expect(kernel.translate(BASE + 0x2000n)).toBe(0x5000n);
    kernel.unmap(BASE, 4096);
    expect(process.translate(BASE)).toBeNull();
    expect(kernel.translate(BASE + SLOT)).toBeNull();
  });

  test('both lose what either removes in it: a page table does not know whose half an address is in', () => {
    const { kernel, process } = shared();
    process.unmap(BASE, 4096);
    expect(kernel.translate(BASE)).toBeNull();
    expect(kernel.translate(BASE + 4096n)).toBe(0x2000n);
  });

  test('keep the shared subtree when the root that did not make it is destroyed', () => {
    const { kernel, process, memory, frames } = shared();
    const own = [0, 1, 2, 3].map((level) => pfnOf(stepAt(process, BASE + SLOT, level)));
    const theirs = [0, 1, 2, 3].map((level) => pfnOf(stepAt(kernel, BASE, level)));
    const bytes = theirs.map((pfn) => Buffer.from(memory.bytesAt(BigInt(pfn) << 12n, 4096)));
    process.destroy();
    const taken = takenFrames(frames);
    expect(own.filter((pfn) => taken.has(pfn))).toEqual([]);
    expect(theirs.filter((pfn) => !taken.has(pfn))).toEqual([]);
    theirs.forEach((pfn, i) => {
      expect(Buffer.from(memory.bytesAt(BigInt(pfn) << 12n, 4096)).equals(bytes[i] as Buffer)).toBe(true);
    });
    expect(kernel.translate(BASE + 4096n)).toBe(0x2000n);
    kernel.map(BASE + 0x2000n, [9], WRITE);
    kernel.destroy();
    expect(frames.stats().allocated).toBe(0);
  });

  test('keep what the other root made when the maker of the subtree is destroyed', () => {
    const { kernel, process, frames } = shared();
    const own = [0, 1, 2, 3].map((level) => pfnOf(stepAt(process, BASE + SLOT, level)));
    kernel.destroy();
    expect([...takenFrames(frames)].sort()).toEqual([...own].sort());
    expect(process.translate(BASE + SLOT)).toBe(0x3000n);
  });

  test('do not free a shared table by reclaim, nor replace it by a block', () => {
    const { kernel, process, frames } = shared();
    const { allocated } = frames.stats();
    process.unmap(BASE, 8192, { reclaim: true });
    expect(frames.stats().allocated).toBe(allocated);
    expect(kernel.walk(BASE).steps).toHaveLength(4);
    // The empty table is the kernel's: pages go into it, and no block replaces it.
    process.mapRange(BASE, 0n, 2 * MiB, WRITE);
    expect([...kernel.leaves()].map((run) => `${run.count}x${run.leafShift}`)).toEqual(['512x12']);
    expect(frames.stats().allocated).toBe(allocated);
    kernel.unmap(BASE, 2 * MiB, { reclaim: true });
    expect(frames.stats().allocated).toBe(allocated - 3);
  });
});

describe('destroy', () => {
  test('frees once a root that one of its own entries points to', () => {
    const { table, memory, frames, flushes } = machine(arm);
    table.map(BASE, [1], WRITE);
    memory.write64(table.root + 8n * 510n, table.root | 0x403n);
    expect(table.translate(0xffffff7fbfdfe000n)).toBe(table.root);
    table.destroy();
    expect(frames.stats().allocated).toBe(0);
    expect([...(flushes[0]?.tablesFreed ?? [])].sort()).toEqual([0, 1, 2, 3]);
  });

  test('frees once a table that two entries point to', () => {
    const { table, memory, frames, flushes } = machine(arm);
    table.map(BASE, [1], WRITE);
    const root = stepAt(table, BASE, 0);
    memory.write64(root.address + 8n, root.entry);
    const pmd = stepAt(table, BASE, 2);
    memory.write64(pmd.address + 8n, pmd.entry);
    expect(table.translate(BASE + SLOT + BigInt(2 * MiB))).toBe(0x1000n);
    table.resetCounters();
    table.destroy();
    expect(frames.stats().allocated).toBe(0);
    expect([...(flushes[0]?.tablesFreed ?? [])].sort()).toEqual([0, 1, 2, 3]);
    // Each upper table is read once as well.
    expect(table.counters.tablesRead).toBe(3);
    expect(table.counters.tablesFreed).toBe(4);
  });

  test('does not follow its own table at another level', () => {
    const { table, memory, frames } = machine(arm);
    table.map(BASE, [1], WRITE);
    // A PTE table of one branch stands where another has a PMD, and points back to the PUD.
    const pte = stepAt(table, BASE, 3);
    const pud = stepAt(table, BASE, 1);
    memory.write64(pud.address + 8n, pte.table | 0x403n);
    memory.write64(pte.address + 16n, pud.table | 0x403n);
    table.destroy();
    expect(frames.stats().allocated).toBe(0);
  });

  test('is refused to a table that was opened, also with the same allocator', () => {
    const { table, memory, frames, flushes } = machine(arm);
    table.map(BASE, [1], WRITE);
    const opened = new PageTable({ format: arm, memory, root: table.root, frames });
    opened.map(BASE + SLOT, [2], WRITE);
    const before = fingerprint({ memory, frames });
    expect(thrown(() => opened.destroy())).toMatch(/^EINVAL: the root was not made by this page table/);
    expect(fingerprint({ memory, frames })).toBe(before);
    expect(flushes).toEqual([]);
    expect(opened.translate(BASE)).toBe(0x1000n);
    // What the opened one added to the tree goes with the tree.
    table.destroy();
    expect(frames.stats().allocated).toBe(0);
  });

  test.each([
    ['the root', 0],
    ['an upper table', 1],
    ['a PTE table', 3],
  ])('changes nothing when %s was freed by somebody else', (_what, level) => {
    const { table, memory, frames } = machine(arm);
    table.map(BASE, [1], WRITE);
    table.map(BASE + SLOT, [2], WRITE);
    frames.free(pfnOf(stepAt(table, BASE, level)));
    const before = fingerprint({ memory, frames });
    expect(thrown(() => table.destroy())).toMatch(/^EINVAL.*free/);
    expect(fingerprint({ memory, frames })).toBe(before);
    expect(table.translate(BASE)).toBe(0x1000n);
    // With the frame back in place the same call succeeds: the lowest free frame is that one.
    expect(frames.allocate()).toBe(pfnOf(stepAt(table, BASE, level)));
    table.destroy();
    expect(frames.stats().allocated).toBe(0);
  });

  test('changes nothing when a root of several frames was freed by somebody else', () => {
    const { table, memory, frames } = machine(wideRoot());
    table.map(0x1000n, [1], WRITE);
    frames.free(Number(table.root >> 12n), 4);
    const before = fingerprint({ memory, frames });
    expect(thrown(() => table.destroy())).toMatch(/^EINVAL/);
    expect(fingerprint({ memory, frames })).toBe(before);
  });
});

describe('a table that was freed by somebody else', () => {
  /** A machine with an empty PTE table whose frame was freed. */
  function leftOver() {
    const made = machine(arm);
    made.table.map(BASE, [1], WRITE);
    made.table.map(BASE + BigInt(4 * MiB), [2], WRITE);
    made.table.unmap(BASE, 4096);
    made.frames.free(pfnOf(stepAt(made.table, BASE, 3)));
    return made;
  }

  /** A PTE table that counts two entries, freed behind its owner's back and taken by a second page table. */
  function takenOver() {
    const { table: first, memory, frames } = machine(arm);
    first.map(BASE, [1, 2], WRITE);
    const pfn = pfnOf(stepAt(first, BASE, 3));
    const second = new PageTable({ format: arm, memory, frames });
    second.map(BASE, [3], WRITE);
    frames.free(pfn);
    second.map(BASE + BigInt(2 * MiB), [4], WRITE);
    expect(pfnOf(stepAt(second, BASE + BigInt(2 * MiB), 3))).toBe(pfn);
    return { first, second, frames, pfn };
  }

  test('belongs to the page table that takes its frame next', () => {
    const { first, second, frames, pfn } = takenOver();
    // The count of the former table is gone: once empty, its new owner reclaims it, and nobody else.
    first.unmap(BASE, 2 * MiB, { reclaim: true });
    expect(takenFrames(frames)).toContain(pfn);
    second.map(BASE + BigInt(2 * MiB), [4], WRITE);
    second.unmap(BASE + BigInt(2 * MiB), 4096, { reclaim: true });
    expect(takenFrames(frames)).not.toContain(pfn);
  });

  test('counts its entries anew', () => {
    const { second, frames, pfn } = takenOver();
    second.unmap(BASE + BigInt(2 * MiB), 4096, { reclaim: true });
    expect(takenFrames(frames)).not.toContain(pfn);
  });

  test('fails an unmap that would reclaim it, and nothing changes', () => {
    const { table, memory, frames } = leftOver();
    const before = fingerprint({ memory, frames });
    expect(thrown(() => table.unmap(BASE, 8 * MiB, { reclaim: true }))).toMatch(/^EINVAL.*free/);
    expect(fingerprint({ memory, frames })).toBe(before);
    expect(table.translate(BASE + BigInt(4 * MiB))).toBe(0x2000n);
  });

  test('fails a map that would replace it, and nothing changes', () => {
    const { table, memory, frames } = leftOver();
    const before = fingerprint({ memory, frames });
    expect(thrown(() => table.mapRange(BASE, 0n, 2 * MiB, WRITE))).toMatch(/^EINVAL.*free/);
    expect(fingerprint({ memory, frames })).toBe(before);
    expect(table.translate(BASE)).toBeNull();
  });
});

describe('a table that two entries point to', () => {
  test('is freed once when two blocks replace it', () => {
    const { table, memory, frames } = machine(arm);
    table.map(BASE, [1], WRITE);
    const pmd = stepAt(table, BASE, 2);
    memory.write64(pmd.address + 8n, pmd.entry);
    table.unmap(BASE, 4096);
    table.mapRange(BASE, 0n, 4 * MiB, WRITE);
    expect([...table.leaves()]).toMatchObject([{ count: 2, leafShift: 21 }]);
    expect(frames.stats().allocated).toBe(3);
  });

  test('is not freed by reclaim while one of them stays', () => {
    const { table, memory, frames } = machine(arm);
    table.map(BASE, [1], WRITE);
    const pmd = stepAt(table, BASE, 2);
    memory.write64(pmd.address + 8n, pmd.entry);
    table.unmap(BASE, 4 * MiB, { reclaim: true });
    // Both entries lie in the range: neither may point to a free frame.
    for (const va of [BASE, BASE + BigInt(2 * MiB)]) {
      for (const step of table.walk(va).steps) expect(takenFrames(frames)).toContain(pfnOf(step));
    }
  });
});

describe('an entry that another writer puts into an emptied table', () => {
  const other = BASE + 0x7000n;
  const writers: [string, (made: ReturnType<typeof machine>) => void][] = [
    [
      'a page table with frames of another allocator',
      ({ memory, table }) => {
        const frames = new FrameAllocator(memory, { first: 48, frames: 16 });
        new PageTable({ format: arm, memory, root: table.root, frames }).map(other, [0x44], WRITE);
      },
    ],
    [
      'another page table of the same allocator',
      ({ memory, frames, table }) => {
        new PageTable({ format: arm, memory, root: table.root, frames }).map(other, [0x44], WRITE);
      },
    ],
    [
      'a page table of an attached allocator',
      ({ memory, frames, table }) => {
        const attached = attachFrames(frames.state);
        new PageTable({ format: arm, memory, root: table.root, frames: attached }).map(other, [0x44], WRITE);
      },
    ],
    [
      'a guest',
      ({ memory, table }) => {
        memory.write64(stepAt(table, other, 3).address, 0x0068000000044703n);
      },
    ],
  ];

  describe.each(writers)('by %s', (_who, write) => {
    /** A page table maps and unmaps one page. Then the other writer maps another page in the same PTE table. */
    function emptied() {
      const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 64 * 4096 });
      const frames = new FrameAllocator(memory, { first: 0, frames: 48 });
      const table = new PageTable({ format: arm, memory, frames });
      table.map(BASE, [1], WRITE);
      table.unmap(BASE, 4096);
      write({ memory, frames, table } as ReturnType<typeof machine>);
      expect(table.translate(other)).toBe(0x44000n);
      return { memory, frames, table };
    }

    test('is not written over', () => {
      const made = emptied();
      const before = fingerprint(made);
      expect(thrown(() => made.table.map(other, [3], WRITE))).toMatch(/^EBUSY at 0xffff000000007000/);
      expect(thrown(() => made.table.map(BASE, [3, 4, 5, 6, 7, 8, 9, 10], WRITE))).toMatch(/^EBUSY/);
      expect(fingerprint(made)).toBe(before);
    });

    test('is removed by an unmap of its range', () => {
      const { table } = emptied();
      table.unmap(BASE, 2 * MiB);
      expect(table.translate(other)).toBeNull();
      expect([...table.leaves()]).toEqual([]);
      table.map(other, [5], WRITE);
      expect(table.translate(other)).toBe(0x5000n);
    });

    test('keeps its table from being reclaimed', () => {
      const { table, frames } = emptied();
      const { allocated } = frames.stats();
      table.unmap(BASE, 4096, { reclaim: true });
      table.map(BASE, [8], WRITE);
      table.unmap(BASE, 4096, { reclaim: true });
      expect(table.translate(other)).toBe(0x44000n);
      expect(frames.stats().allocated).toBe(allocated);
      table.unmap(other, 4096, { reclaim: true });
      expect(table.translate(other)).toBeNull();
      expect(frames.stats().allocated).toBe(1);
    });

    test('is not replaced by a block', () => {
      const made = emptied();
      const before = fingerprint(made);
      expect(thrown(() => made.table.mapRange(BASE, 0n, 2 * MiB, WRITE))).toMatch(
        /^EBUSY at 0xffff000000007000/,
      );
      expect(thrown(() => made.table.mapRange(BASE, 0n, 1024 * MiB, WRITE))).toMatch(
        /^EBUSY at 0xffff000000007000/,
      );
      expect(fingerprint(made)).toBe(before);
      expect(made.table.translate(other)).toBe(0x44000n);
    });
  });
});
