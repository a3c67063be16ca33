import {
  applyToExisting,
  applyToRange,
  collapseLeaves,
  FrameAllocator,
  flushBatch,
  PageTable,
  PhysicalMemory,
  protection,
  splitLeaves,
  wasmLoops,
} from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../formats/arm64.js';
import { riscv64 } from '../formats/riscv64.js';
import { fingerprint } from '../support/digest.js';
import { entryAt, markRun, sizes } from '../support/entries.js';

/* Tables as no call of the engine makes them: odd marks, table entries that forbid, tables linked twice. */

const WRITE = protection({ write: true, global: true, execute: true });
const MiB = 1024 * 1024;
const GiB = 1024 * MiB;
const arm = arm64({ granule: 4, vaBits: 48 });
const low = arm64({ granule: 4, vaBits: 39, half: 'ttbr0' });
const riscv = riscv64(3);
const BASE = 0xffff000000000000n;
const CONT = 1n << 52n;

describe('collapse', () => {
  test('keeps a table whose entry forbids what its leaves allow', () => {
    for (const bits of [1n << 59n, 1n << 62n]) {
      const { table, memory } = machine(arm);
      table.mapRange(BASE, 0n, 2 * MiB, WRITE, { maxLeafShift: 12 });
      const pmd = table.walk(BASE).steps[2] as { address: bigint; entry: bigint };
      memory.write64(pmd.address, pmd.entry | bits);
      const before = table.walk(BASE).permissions;
      expect(collapseLeaves(table, BASE, 2 * MiB)).toBe(0);
      expect(table.walk(BASE).permissions).toEqual(before);
      memory.write64(pmd.address, pmd.entry);
      expect(collapseLeaves(table, BASE, 2 * MiB)).toBe(1);
    }
  });

  test('makes a block of a table of its own, whose entry forbids nothing', () => {
    const { table } = machine(arm);
    table.mapRange(BASE, 0n, 2 * MiB, protection({ user: true, execute: true }), { maxLeafShift: 12 });
    expect(collapseLeaves(table, BASE, 2 * MiB)).toBe(1);
  });

  test('keeps a table of its own, whose entry forbids what its leaves allow', () => {
    // Linux's kernel tables carry UXNTable: user mode may execute no page below.
    const { table } = machine(arm, 64, 0n, undefined, 0x1000000000000403n);
    table.mapRange(BASE, 0n, 2 * MiB, protection({ user: true, execute: true }), { maxLeafShift: 12 });
    const before = table.walk(BASE).permissions;
    expect(before?.user.execute).toBe(false);
    expect(collapseLeaves(table, BASE, 2 * MiB)).toBe(0);
    expect(table.walk(BASE).permissions).toEqual(before);
    table.protect(BASE, 2 * MiB, { user: false });
    expect(collapseLeaves(table, BASE, 2 * MiB)).toBe(1);
  });

  test('takes no entry that the MMU ignores for a leaf', () => {
    const { table, memory } = machine(riscv);
    table.mapRange(0n, 0n, GiB, WRITE);
    splitLeaves(table, 0n, 4096);
    const { address, entry } = entryAt(table, BigInt(2 * MiB));
    memory.write64(address, entry & ~0x3ffn);
    expect(collapseLeaves(table, 0n, GiB)).toBe(1);
    expect(table.translate(BigInt(2 * MiB))).toBeNull();
    expect(sizes(table)).toEqual([
      [0n, 21, 1],
      [BigInt(4 * MiB), 21, 510],
    ]);
  });
});

describe('a NAPOT leaf of a reserved size', () => {
  test('is not collapsed with the leaf before it, whose flags are equal', () => {
    const made = machine(riscv);
    const { table, memory } = made;
    table.mapRange(0x200000n, 0x40000000n, 2 * MiB, WRITE, { maxLeafShift: 12 });
    for (let i = 0; i < 32; i++) markRun(made, 0x200000n + BigInt(i * 65536), 16, 1n << 63n);
    const { address, entry } = entryAt(table, 0x209000n);
    // PPN[3:0] is 4 in place of 8.
    memory.write64(address, entry ^ (12n << 10n));
    expect(table.translate(0x209000n)).toBeNull();
    expect(collapseLeaves(table, 0x200000n, 2 * MiB)).toBe(0);
    memory.write64(address, entry);
    expect(collapseLeaves(table, 0x200000n, 2 * MiB)).toBe(1);
  });
});

describe('a run that lacks some of its marks', () => {
  function marked(unmarked: readonly number[]) {
    const made = machine(low);
    made.table.mapRange(0n, 0x4000_0000n, 32 * MiB, WRITE, { maxLeafShift: 21 });
    for (let block = 0; block < 16; block++) {
      const { address, entry } = entryAt(made.table, BigInt(block * 2 * MiB));
      if (!unmarked.includes(block)) made.memory.write64(address, entry | CONT);
    }
    return made;
  }

  test.each([[[0]], [[1]], [[0, 1]], [[5]]])(
    'loses only the range that is unmapped (%j without a mark)',
    (unmarked) => {
      const { table } = marked(unmarked);
      table.unmap(BigInt(MiB), 3 * MiB);
      for (let at = 0; at < 32; at++) {
        const here = table.translate(BigInt(at * MiB));
        expect(here, `${at} MiB`).toBe(at >= 1 && at < 4 ? null : BigInt(0x4000_0000 + at * MiB));
      }
    },
  );

  test('loses all marks when an entry without a mark changes', () => {
    const { table } = marked([0]);
    table.protect(0n, 2 * MiB, { write: false });
    expect([1, 8, 15].map((block) => entryAt(table, BigInt(block * 2 * MiB)).entry & CONT)).toEqual([
      0n,
      0n,
      0n,
    ]);
  });

  test('is split up to its last entry', () => {
    const { table } = marked([1]);
    splitLeaves(table, 0n, 8 * MiB);
    expect(sizes(table).map(([, shift, count]) => [shift, count])).toEqual([
      [12, 2048],
      [21, 12],
    ]);
  });
});

describe('protect', () => {
  test('leaves a reserved entry alone, whatever is before it', () => {
    const { table, memory } = machine(arm64({ granule: 4, vaBits: 48, paBits: 40 }));
    table.map(BASE, [1, 2, 3], WRITE);
    const { address, entry } = entryAt(table, BASE + 0x1000n);
    memory.write64(address, entry | (1n << 45n));
    table.protect(BASE, 3 * 4096, { write: false });
    expect(memory.read64(address)).toBe(entry | (1n << 45n));
    expect(table.walk(BASE + 0x2000n).leaf?.protection.write).toBe(false);
  });

  test('refuses a protection that no leaf can have, and unknown members', () => {
    const { table } = machine(riscv);
    const call = (fields: object) => thrown(() => table.protect(0n, 4096, fields));
    expect(call(protection({ read: false, write: true }))).toBe(
      'EINVAL: write without read is a reserved encoding',
    );
    expect(call({ dirty: false })).toMatch(
      /^EINVAL: a change of protection cannot set dirty; the change keeps it/,
    );
    expect(call({ toString: () => '' })).toMatch(/^EINVAL: the protection has no member `toString`/);
    expect(thrown(() => table.protect(0n, 4096, {}, { split: 'no' as never }))).toMatch(
      /^EINVAL: split is 'no'/,
    );
    expect(thrown(() => table.unmap(0n, 4096, { reclaim: 0 as never }))).toMatch(/^EINVAL: reclaim is 0/);
  });
});

describe('a slot', () => {
  test('takes only 32-bit words, and only complete protections', () => {
    const { table, memory, frames } = machine(riscv);
    table.map(0n, [7], WRITE);
    const before = fingerprint({ memory, frames });
    for (const word of [undefined, null, Number.NaN, 'x', 2 ** 40, 0.5]) {
      const call = () => applyToRange(table, 0n, 4096, (slot) => slot.set(word as number, 0));
      expect(thrown(call), String(word)).toMatch(
        /^EINVAL at 0x0000000000000000: the PTE entry cannot become the words/,
      );
    }
    for (const rights of [undefined, null, {}]) {
      expect(thrown(() => applyToRange(table, 0n, 4096, (slot) => slot.setLeaf(1, rights as never)))).toMatch(
        /^EINVAL/,
      );
    }
    expect(fingerprint({ memory, frames })).toBe(before);
  });

  test('reads a protection anew at each setLeaf', () => {
    const { table } = machine(riscv);
    const rights = { ...WRITE };
    applyToRange(table, 0n, 8192, (slot) => {
      rights.write = slot.page === 0;
      slot.setLeaf(slot.page, rights);
    });
    expect([0n, 4096n].map((va) => table.walk(va).leaf?.protection.write)).toEqual([true, false]);
  });

  test('takes no table entry where a rule alone tells it from a leaf', () => {
    const [root, pmd, pte] = riscv.levels;
    if (root?.leaf == null || pmd?.leaf == null || pte == null)
      throw new Error('riscv64 has leaves everywhere');
    const lax = { ...pmd.leaf, rules: [] };
    const format = { ...riscv, levels: [root, { ...pmd, leaf: lax }, pte] };
    const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 1 << 18 });
    const table = new PageTable({ format, memory, frames: new FrameAllocator(memory) });
    table.mapRange(0n, 0n, 2 * MiB, WRITE);
    const call = () => applyToRange(table, 0n, 2 * MiB, (slot) => slot.set(1, 0), { blocks: 'visit' });
    expect(thrown(call)).toMatch(/cannot become 0x0000000000000001/);
  });

  test('cannot be set after its callback has thrown', () => {
    const { table } = machine(riscv);
    let kept: { set(lo: number, hi: number): void } | undefined;
    const call = () =>
      applyToRange(table, 0n, 4096, (slot) => {
        kept = slot;
        throw new Error('broken');
      });
    expect(call).toThrow('broken');
    expect(thrown(() => kept?.set(0, 0))).toMatch(/kept after its callback/);
  });
});

describe('an entry that the MMU ignores', () => {
  test('keeps its bits under protect, even as the first of a range', () => {
    const { table, memory } = machine(riscv);
    table.mapRange(0n, 0n, 2 * MiB, WRITE, { maxLeafShift: 12 });
    // A swap entry with W and the bits of a leaf.
    const swap = 0x1234_0000_0000_00c6n;
    const { address } = entryAt(table, 0n);
    memory.write64(address, swap);
    table.protect(0n, 2 * MiB, { write: false });
    expect(memory.read64(address)).toBe(swap);
    expect(table.walk(0x1000n).leaf?.protection.write).toBe(false);
  });
});

describe('a table that is linked twice', () => {
  test('is flushed at both addresses, also where it follows its neighbour in memory', () => {
    const { table, memory, flushes } = machine(riscv);
    table.mapRange(0n, 0n, 4 * MiB, WRITE, { maxLeafShift: 12 });
    const first = table.walk(0n).steps[1] as { address: bigint; entry: bigint };
    const second = memory.read64(first.address + 8n);
    // The second table, the first one, and the second again.
    memory.write64(first.address, second);
    memory.write64(first.address + 8n, first.entry);
    memory.write64(first.address + 16n, second);
    table.unmap(0n, 6 * MiB);
    expect(flushes).toMatchObject([{ va: 0n, bytes: BigInt(6 * MiB) }]);
  });

  function linked() {
    const made = machine(riscv);
    const { table, memory } = made;
    table.map(0n, [7, 8], WRITE);
    const pmd = table.walk(0n).steps[1] as { address: bigint; entry: bigint };
    memory.write64(pmd.address + 8n, pmd.entry);
    return made;
  }

  test('is flushed at both addresses by protect and unmap', () => {
    const { table, flushes } = linked();
    table.protect(0n, 4 * MiB, { write: false });
    table.unmap(0n, 4 * MiB);
    expect(flushes.map(({ va, bytes }) => [va, bytes])).toEqual([
      [0n, BigInt(4 * MiB)],
      [0n, BigInt(4 * MiB)],
    ]);
  });

  test('gets runs once, and is flushed at both addresses', () => {
    const { table, memory, flushes } = machine(arm);
    table.mapRange(BASE, 0n, 65536, WRITE, { maxLeafShift: 12 });
    const pmd = table.walk(BASE).steps[2] as { address: bigint; entry: bigint };
    memory.write64(pmd.address + 8n, pmd.entry);
    const { address } = entryAt(table, BASE);
    const seen: bigint[] = [];
    const watched = new PageTable({
      ...{ format: arm, memory, root: table.root },
      ...{
        frames: new FrameAllocator(memory),
        sink: { flush: () => void seen.push(memory.read64(address)) },
      },
    });
    expect(collapseLeaves(watched, BASE, 4 * MiB)).toBe(1);
    // The entry is invalid during the flush.
    expect(seen).toEqual([0n]);
    expect(memory.read64(address) & CONT).toBe(CONT);
    expect(collapseLeaves(table, BASE, 4 * MiB)).toBe(0);
    table.unmap(BASE, 65536);
    table.mapRange(BASE, 0n, 65536, WRITE, { maxLeafShift: 12 });
    flushes.length = 0;
    expect(collapseLeaves(table, BASE, 4 * MiB)).toBe(1);
    expect(flushes).toMatchObject([{ va: BASE, bytes: BigInt(2 * MiB + 65536) }]);
  });

  test('is not split, nor visited, through both links in one call', () => {
    const { table, memory, frames } = linked();
    table.mapRange(BigInt(GiB), 0n, 2 * MiB, WRITE);
    const before = fingerprint({ memory, frames });
    const twice = /^EINVAL at 0x0000000000200000: the range meets the table of this address twice/;
    expect(thrown(() => table.unmap(0n, GiB + MiB))).toMatch(twice);
    expect(thrown(() => applyToExisting(table, 0n, 4 * MiB, () => undefined))).toMatch(twice);
    expect(fingerprint({ memory, frames })).toBe(before);
  });
});

describe('a table whose frame somebody else frees', () => {
  test('while a batch holds it makes done throw; the batch is done nevertheless', () => {
    const { table, frames } = machine(riscv);
    table.map(0n, [7], WRITE);
    const pte = table.walk(0n).steps[2]?.table as bigint;
    const batch = flushBatch(table);
    table.unmap(0n, 4096, { batch, reclaim: true });
    frames.free(Number(pte >> 12n));
    expect(thrown(() => batch.done())).toMatch(
      /^EINVAL: the table in frame 0x[0-9a-f]+ was freed outside of this page table/,
    );
    expect(batch.isPending).toBe(false);
    expect(frames.stats().allocated).toBe(1);
    table.destroy();
  });

  test('inside the flush makes the call throw; the call has taken effect', () => {
    const made: ReturnType<typeof machine> = machine(riscv, 64, 0n, {
      flush: (_va, _bytes, _leafShift, tables) => {
        if (tables[0] !== undefined) made.frames.free(tables[0]);
      },
    });
    made.table.map(0n, [7], WRITE);
    expect(thrown(() => made.table.unmap(0n, 4096, { reclaim: true }))).toMatch(
      /was freed outside of this page table/,
    );
    expect(made.table.walk(0n).steps).toHaveLength(1);
    expect(made.frames.stats().allocated).toBe(1);
  });
});

test('a batch keeps its ranges on one side of the canonical hole, and takes 20,000 ranges', () => {
  const { table, flushes } = machine(riscv, 256);
  const middle = 1n << 38n;
  const upper = (1n << 64n) - middle;
  table.map(middle - 4096n, [1], WRITE);
  table.map(upper, [2], WRITE);
  const batch = flushBatch(table);
  table.unmap(upper, 4096, { batch });
  table.unmap(middle - 4096n, 4096, { batch });
  expect(batch.ranges).toEqual([
    { va: middle - 4096n, bytes: 4096n },
    { va: upper, bytes: 4096n },
  ]);
  batch.done();
  expect(flushes).toHaveLength(2);
  table.mapRange(0n, 0n, 40_000 * 4096, WRITE, { maxLeafShift: 12 });
  // Every other page, alternating between both ends.
  for (let i = 0; i < 20_000; i++) {
    const page = i % 2 === 0 ? i : 40_000 - i - 1;
    table.unmap(BigInt(page * 4096), 4096, { batch });
  }
  expect(batch.ranges).toHaveLength(20_000);
  expect(thrown(() => table.map(0n, [1], WRITE))).toMatch(/^EBUSY/);
  batch.done();
});
