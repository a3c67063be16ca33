import { createHash } from 'node:crypto';
import type { FlushSink, Snapshot } from '@vmarea/core';
import { FrameAllocator, hex, PageTable, PhysicalMemory, protection } from '@vmarea/core';
import { describe, expect, it } from 'vitest';
import { TableRecords } from '../../src/table/table-records.js';
import { arm64 } from '../formats/arm64.js';
import { riscv64 } from '../formats/riscv64.js';
import { webAssemblyMemory } from '../memory/support.js';
import { fingerprint, machine } from '../support/machine.js';
import { thrown } from '../support/thrown.js';

const WRITE = protection({ write: true, global: true });
const PAGES = { maxLeafShift: 12 };
const MiB = 1024 * 1024;
const arm = arm64({ granule: 4, vaBits: 48 });
const BASE = 0xffff000000000000n;
/** What one table of the last level translates. */
const SPAN = 0x200000n;

const GONE = 'EINVAL: this page table was made after the snapshot that was restored; make or open a new one';

const tableAt = (table: PageTable, va: bigint, level = 3): number =>
  Number((table.walk(va).steps[level]?.table ?? 0n) >> 12n);
const sorted = (pfns: readonly number[] | undefined): number[] => [...(pfns ?? [])].sort((a, b) => a - b);

/** All bytes of a memory, the allocator's state and the records, without the number that only rises. */
function digest({ memory, frames }: { memory: PhysicalMemory; frames: FrameAllocator }): string {
  const hash = createHash('sha256').update(new Uint8Array(frames.state));
  hash.update(new Uint8Array(TableRecords.of(frames).state).subarray(4));
  for (const bank of memory.banks) hash.update(new Uint8Array(memory.bytesAt(bank.base, bank.bytes)));
  return hash.digest('hex');
}

describe('restore', () => {
  it('brings back bytes, mappings, tables and free frames, as often as it is called', () => {
    const made = machine(arm);
    const { table, memory, frames } = made;
    table.map(BASE, [1, 2], WRITE);
    const data = frames.allocate();
    memory.write64(BigInt(data) << 12n, 77n);
    const before = digest(made);
    const snapshot = table.snapshot();
    expect(digest(made), 'taking it changes nothing').toBe(before);
    const leaves = [...table.leaves()];
    for (const round of [1n, 2n]) {
      table.unmap(BASE, 8192, { reclaim: true });
      table.map(BASE + round * SPAN, [5], WRITE);
      memory.write64(BigInt(data) << 12n, round);
      memory.write64(63n << 12n, round);
      frames.free(data);
      table.restore(snapshot);
      expect(digest(made)).toBe(before);
      expect([...table.leaves()]).toEqual(leaves);
      expect(table.translate(BASE + 4096n)).toBe(0x2000n);
      expect(table.translate(BASE + round * SPAN)).toBeNull();
      expect(memory.read64(BigInt(data) << 12n)).toBe(77n);
    }
    table.destroy();
    expect(frames.stats().allocated).toBe(1);
  });

  it('goes forward as well as back', () => {
    const { table } = machine(arm);
    const snapshots: Snapshot[] = [table.snapshot()];
    for (let i = 0; i < 4; i++) {
      table.map(BASE + BigInt(i) * SPAN, [i], WRITE);
      snapshots.push(table.snapshot());
    }
    for (const i of [2, 4, 0, 3, 1, 4]) {
      table.restore(snapshots[i] as Snapshot);
      expect([...table.leaves()].map((run) => run.pfn)).toEqual([0, 1, 2, 3].slice(0, i));
    }
  });

  it('costs what is not zero', () => {
    const memory = PhysicalMemory.create({ bytes: 64 * MiB });
    const frames = new FrameAllocator(memory);
    const table = new PageTable({ format: arm, memory, frames });
    const empty = table.snapshot().bytes;
    expect(empty).toBeLessThan(64 * 1024);
    memory.write64(40n << 20n, 1n);
    // One page, and a run of its own.
    expect(table.snapshot().bytes).toBe(empty + 4096 + 16);
    memory.write64((40n << 20n) + 4096n, 1n);
    expect(table.snapshot().bytes).toBe(empty + 8192 + 16);
    expect(Object.isFrozen(table.snapshot())).toBe(true);
  });

  it('works over shared and over grown memory, and leaves alone what the bank does not hold', () => {
    const wasm = webAssemblyMemory({ initial: 4, maximum: 16 });
    const placed = { byteOffset: 65536, bytes: 2 * 65536 };
    for (const memory of [
      PhysicalMemory.create({ bytes: 1 << 18, shared: true }),
      PhysicalMemory.over(wasm, placed),
    ]) {
      const made = { memory, frames: new FrameAllocator(memory, { shared: true }) };
      const table = new PageTable({ format: arm, ...made });
      table.map(BASE, [1], WRITE);
      const before = digest(made);
      const snapshot = table.snapshot();
      wasm.grow(1);
      const all = new Uint8Array(wasm.buffer);
      for (const at of [0, 65535, 3 * 65536, all.length - 1]) all[at] = 9;
      table.map(BASE + SPAN, [2], WRITE);
      table.restore(snapshot);
      expect(digest(made)).toBe(before);
      for (const at of [0, 65535, 3 * 65536, all.length - 1]) expect(all[at]).toBe(9);
      table.map(BASE + SPAN, [3], WRITE);
      expect(table.translate(BASE + SPAN)).toBe(0x3000n);
    }
  });

  it('puts all writable banks back, and no read-only one', () => {
    const image = new ArrayBuffer(8192);
    const memory = PhysicalMemory.of([
      { bytes: 1 << 18, base: 0n },
      { bytes: 8192, base: 0x100000000n },
      { source: image, base: 0x200000000n, writable: false },
    ]);
    const table = new PageTable({ format: arm, memory, frames: new FrameAllocator(memory) });
    memory.write64(0x100001000n, 5n);
    const snapshot = table.snapshot();
    memory.write64(0x100000000n, 6n);
    memory.write64(0x100001000n, 6n);
    new Uint8Array(image)[0] = 7;
    table.restore(snapshot);
    expect(memory.read64(0x100000000n)).toBe(0n);
    expect(memory.read64(0x100001000n)).toBe(5n);
    expect(memory.read64(0x200000000n)).toBe(7n);
  });

  it('may be called on an opened table, whose root nobody made', () => {
    const memory = PhysicalMemory.create({ bytes: 1 << 18 });
    const frames = new FrameAllocator(memory, { reserved: [{ pfn: 0, frames: 8 }] });
    const table = PageTable.open({ format: arm, memory, root: 0x1000n, frames });
    const snapshot = table.snapshot();
    table.map(BASE, [1], WRITE);
    table.restore(snapshot);
    expect(memory.read64(0x1000n)).toBe(0n);
    expect(frames.stats().allocated).toBe(0);
    table.map(BASE, [2], WRITE);
    expect(table.translate(BASE)).toBe(0x2000n);
  });

  it('puts every allocator back that page tables of the memory use', () => {
    const memory = PhysicalMemory.create({ bytes: 1 << 18 });
    const lower = new FrameAllocator(memory, { first: 0, frames: 32 });
    const upper = new FrameAllocator(memory, { first: 32, frames: 32 });
    const first = new PageTable({ format: arm, memory, frames: lower });
    first.map(BASE, [1], WRITE);
    const second = PageTable.open({ format: arm, memory, root: first.root, frames: upper });
    second.map(BASE + SPAN, [2], WRITE);
    const before = [digest({ memory, frames: lower }), digest({ memory, frames: upper })];
    const snapshot = first.snapshot();
    second.map(BASE + 2n * SPAN, [3], WRITE);
    first.restore(snapshot);
    expect([digest({ memory, frames: lower }), digest({ memory, frames: upper })]).toEqual(before);
    second.unmap(BASE + SPAN, 4096);
    second.restore(snapshot);
    expect(first.translate(BASE + SPAN)).toBe(0x2000n);
  });

  it('takes page tables away whose allocator came later, and leaves that as it is', () => {
    const { table, memory } = machine(arm);
    const snapshot = table.snapshot();
    const frames = new FrameAllocator(memory, { first: 32, frames: 8 });
    const late = new PageTable({ format: arm, memory, frames });
    late.map(BASE, [1], WRITE);
    table.restore(snapshot);
    expect(thrown(() => late.translate(BASE))).toBe(GONE);
    expect(frames.stats().allocated).toBe(4);
    expect(new PageTable({ format: arm, memory, frames }).translate(BASE)).toBeNull();
  });
});

describe('the flush of a restore', () => {
  it('covers everything and names the tables that are lost, while they are still held', () => {
    const held: boolean[] = [];
    const seen: (bigint | null)[] = [];
    const sink: FlushSink = {
      flush: (_va, _bytes, _leafShift, tables) => {
        held.push(...tables.map((pfn) => made.frames.isAllocated(pfn)));
        seen.push(made.table.translate(BASE));
      },
    };
    const made = machine(arm, 64, 0n, sink);
    const { table, flushes } = made;
    table.map(BASE, [1], WRITE);
    const snapshot = table.snapshot();
    table.map(BASE + SPAN, [2], WRITE);
    table.map(BASE + (1n << 39n), [3], WRITE);
    const late = [
      tableAt(table, BASE + SPAN),
      ...[1, 2, 3].map((level) => tableAt(table, BASE + (1n << 39n), level)),
    ];
    table.unmap(BASE, 4096);
    flushes.length = 0;
    seen.length = 0;
    table.restore(snapshot);
    expect(flushes).toHaveLength(1);
    expect(flushes[0]).toMatchObject({ va: BASE, bytes: 1n << 48n, leafShift: 12 });
    expect(sorted(flushes[0]?.tablesFreed)).toEqual(sorted(late));
    expect(held).toEqual([true, true, true, true]);
    expect(seen, 'the entries are back when the sink is called').toEqual([0x1000n]);
    flushes.length = 0;
    table.restore(snapshot);
    expect(flushes.map((flush) => flush.tablesFreed)).toEqual([[]]);
  });

  it('is two where there is a hole', () => {
    const { table, flushes } = machine(riscv64(4));
    table.restore(table.snapshot());
    expect(flushes.map(({ va, bytes }) => [hex(va), bytes])).toEqual([
      [hex(0n), 1n << 47n],
      [hex(0xffff800000000000n), 1n << 47n],
    ]);
  });

  it('names a table that stands elsewhere now, and what is below it', () => {
    const { table, flushes } = machine(arm);
    const far = BASE + (1n << 39n);
    table.map(BASE, [1], WRITE);
    const snapshot = table.snapshot();
    const tables = [1, 2, 3].map((level) => tableAt(table, BASE, level));
    table.unmap(BASE, 4096, { reclaim: true });
    table.map(far, [2], WRITE);
    // The lowest free frames are taken first: the same tables, at another address.
    expect([1, 2, 3].map((level) => tableAt(table, far, level))).toEqual(tables);
    flushes.length = 0;
    table.restore(snapshot);
    expect(sorted(flushes[0]?.tablesFreed)).toEqual(sorted(tables));
  });

  it('ends where a tree names itself', () => {
    const { table, memory, flushes } = machine(arm);
    table.map(BASE, [1], WRITE);
    const snapshot = table.snapshot();
    for (let slot = 256n; slot < 512n; slot++) memory.write64(table.root + 8n * slot, table.root | 0x403n);
    flushes.length = 0;
    table.restore(snapshot);
    expect(flushes).toHaveLength(1);
    expect(memory.read64(table.root + 8n * 511n)).toBe(0n);
  });

  it('reaches the sinks of all page tables in the memory, the vanished ones too', () => {
    const log: [string, number[]][] = [];
    const made = machine(arm);
    const { memory, frames } = made;
    const process = (name: string): PageTable =>
      new PageTable({
        format: arm,
        memory,
        frames,
        sink: { flush: (_va, _bytes, _leafShift, tables) => log.push([name, sorted(tables)]) },
      });
    const first = process('first');
    first.map(BASE, [1], WRITE);
    const ended = process('ended');
    ended.map(BASE, [2], WRITE);
    const snapshot = first.snapshot();
    ended.destroy();
    const late = process('late');
    late.map(BASE, [3], WRITE);
    const lateTables = [0, 1, 2, 3].map((level) => tableAt(late, BASE, level));
    log.length = 0;
    made.table.restore(snapshot);
    expect(log).toEqual([
      ['first', []],
      ['late', sorted(lateTables)],
    ]);
    expect(made.flushes).toHaveLength(1);
  });

  it('leaves everything as it was when a sink throws, whichever it is', () => {
    const made = machine(arm);
    const { memory, frames, table } = made;
    let fails = false;
    const sink: FlushSink = {
      flush: () => {
        if (fails) throw new Error('stuck');
      },
    };
    const other = new PageTable({ format: arm, memory, frames, sink });
    table.map(BASE, [1], WRITE);
    other.map(BASE, [2], WRITE);
    const snapshot = table.snapshot();
    const late = new PageTable({ format: arm, memory, frames });
    late.map(BASE, [3], WRITE);
    table.unmap(BASE, 4096, { reclaim: true });
    memory.write64(60n << 12n, 5n);
    const before = [digest(made), fingerprint(made)];
    fails = true;
    for (const through of [table, other]) {
      expect(() => through.restore(snapshot)).toThrow(/^stuck$/);
      expect([digest(made), fingerprint(made)]).toEqual(before);
      expect(table.translate(BASE)).toBeNull();
      expect(late.translate(BASE)).toBe(0x3000n);
    }
    fails = false;
    late.unmap(BASE, 4096);
    other.restore(snapshot);
    expect(table.translate(BASE)).toBe(0x1000n);
  });

  it('is refused a sink that takes frames, or changes another page table', () => {
    const made = machine(arm);
    const { memory, frames, table } = made;
    let meddle = (): unknown => null;
    const other = new PageTable({ format: arm, memory, frames, sink: { flush: () => meddle() } });
    other.map(BASE, [1], WRITE);
    const snapshot = other.snapshot();
    other.map(BASE + SPAN, [2], WRITE);
    const taken: number[] = [];
    meddle = () => taken.push(frames.allocate());
    expect(thrown(() => other.restore(snapshot))).toBe(
      'EBUSY: a flush sink took or gave back frames during the restore',
    );
    expect(other.translate(BASE + SPAN)).toBe(0x2000n);
    expect(frames.isAllocated(taken[0] as number)).toBe(true);
    meddle = () => table.map(BASE, [3], WRITE);
    const before = digest(made);
    expect(thrown(() => table.restore(snapshot))).toMatch(/^EBUSY: this page table is in the middle/);
    expect(thrown(() => other.restore(snapshot))).toMatch(/^EBUSY: this page table is in the middle/);
    expect(digest(made)).toBe(before);
  });
});

describe('page tables that a restore takes away or brings back', () => {
  function late() {
    const made = machine(arm);
    const { memory, frames, table } = made;
    const snapshot = table.snapshot();
    const gone = new PageTable({ format: arm, memory, frames });
    gone.map(BASE, [1], WRITE);
    return { ...made, snapshot, gone };
  }

  it('refuse every call once they are gone', () => {
    const { table, gone, snapshot, memory, frames } = late();
    const opened = PageTable.open({ format: arm, memory, root: table.root, frames });
    opened.map(BASE, [4], WRITE);
    const leaves = gone.leaves();
    table.restore(snapshot);
    const before = digest({ memory, frames });
    for (const one of [gone, opened]) {
      for (const call of [
        () => one.map(BASE + SPAN, [2], WRITE),
        () => one.mapRange(BASE + SPAN, 0n, 4096, WRITE),
        () => one.unmap(BASE, 4096),
        () => one.walk(BASE),
        () => one.translate(BASE),
        () => one.leaves(),
        () => one.batch(),
        () => one.snapshot(),
        () => one.destroy(),
      ]) {
        expect(thrown(call)).toBe(GONE);
      }
      expect(thrown(() => one.translateWords(0xffff0000, 0))).toMatch(/^EINVAL: this page table was /);
      expect(thrown(() => one.restore(snapshot))).toBe(
        'EINVAL: this page table was made after the snapshot, or destroyed before it; ' +
          'restore it through a page table that the snapshot holds',
      );
    }
    expect(thrown(() => leaves.next())).toMatch(/^EINVAL: this page table was /);
    expect(digest({ memory, frames })).toBe(before);
  });

  it('stay gone when others take their frames, and leave those alone', () => {
    const { table, gone, snapshot, memory, frames } = late();
    table.restore(snapshot);
    const heir = new PageTable({ format: arm, memory, frames });
    heir.map(BASE, [2], WRITE);
    expect(heir.root).toBe(gone.root);
    expect(thrown(() => gone.destroy())).toBe(GONE);
    expect(thrown(() => gone.translate(BASE))).toBe(GONE);
    expect(heir.translate(BASE)).toBe(0x2000n);
    heir.destroy();
    expect(frames.stats().allocated).toBe(1);
  });

  it('are gone also when their first call comes after the restore', () => {
    const { table, snapshot, memory, frames } = late();
    const unused = new PageTable({ format: arm, memory, frames });
    table.restore(snapshot);
    const before = digest({ memory, frames });
    expect(thrown(() => unused.map(BASE, [1], WRITE))).toBe(GONE);
    expect(digest({ memory, frames })).toBe(before);
    // Nor does a snapshot hold one that was taken when it had vanished.
    const never = new PageTable({ format: arm, memory, frames });
    table.restore(snapshot);
    expect(thrown(() => never.restore(table.snapshot()))).toMatch(/^EINVAL: this page table was made after/);
    // A later past, made when the number of the unused one was already given out.
    const later = table.snapshot();
    const next = new PageTable({ format: arm, memory, frames });
    table.restore(later);
    expect(thrown(() => unused.translate(BASE))).toBe(GONE);
    expect(thrown(() => next.translate(BASE))).toBe(GONE);
  });

  it('are there again with a snapshot that holds them, through themselves or others', () => {
    const { table, gone, snapshot } = late();
    const later = table.snapshot();
    for (const through of [gone, table]) {
      table.restore(snapshot);
      expect(thrown(() => gone.translate(BASE))).toBe(GONE);
      through.restore(later);
      expect(gone.translate(BASE)).toBe(0x1000n);
      expect(gone.translateWords(0xffff0000, 0)).toBe(1);
      gone.map(BASE + SPAN, [2], WRITE);
    }
    // Destroyed is not gone: the snapshot brings it back as well.
    for (const through of [gone, table]) {
      gone.destroy();
      expect(thrown(() => gone.translate(BASE))).toBe('EINVAL: this page table was destroyed');
      through.restore(later);
      expect(gone.translate(BASE)).toBe(0x1000n);
    }
    gone.destroy();
    const without = table.snapshot();
    table.restore(later);
    table.restore(without);
    expect(thrown(() => gone.translate(BASE))).toBe('EINVAL: this page table was destroyed');
    expect(thrown(() => gone.restore(without))).toMatch(
      /^EINVAL.*made after the snapshot, or destroyed before/,
    );
  });

  it('never share a number', () => {
    const { table, snapshot, memory, frames } = late();
    const owners = new Set<number>();
    for (let i = 0; i < 5; i++) {
      const { root } = new PageTable({ format: arm, memory, frames });
      const records = TableRecords.of(frames);
      owners.add(records.ownerOf(records.find(Number(root >> 12n))));
      table.restore(snapshot);
    }
    expect(owners.size).toBe(5);
    expect(TableRecords.of(frames).copy().gone, 'as one range').toHaveLength(2);
    // Also when each snapshot is taken right after a restore.
    for (let i = 0; i < 5; i++) {
      const again = table.snapshot();
      new PageTable({ format: arm, memory, frames });
      table.restore(again);
    }
    expect(TableRecords.of(frames).copy().gone).toHaveLength(2);
  });
});

describe('snapshot and restore refuse, and change nothing', () => {
  it('while a batch owes a flush', () => {
    const made = machine(arm);
    const { table, memory, frames } = made;
    const other = new PageTable({ format: arm, memory, frames });
    table.map(BASE, [1], WRITE);
    const snapshot = table.snapshot();
    const batch = table.batch();
    table.unmap(BASE, 4096, { batch, reclaim: true });
    const before = digest(made);
    const message = 'EBUSY: a batch of a page table in this memory owes a flush; call its done() first';
    for (const one of [table, other]) {
      expect(thrown(() => one.snapshot())).toBe(message);
      expect(thrown(() => one.restore(snapshot))).toBe(message);
    }
    expect(digest(made)).toBe(before);
    batch.done();
    table.restore(snapshot);
    expect(table.translate(BASE)).toBe(0x1000n);
  });

  it('from within a sink', () => {
    const said: string[] = [];
    let snapshot: Snapshot | undefined;
    const sink: FlushSink = {
      flush: () => {
        for (const one of [made.table, other]) {
          said.push(thrown(() => one.snapshot()));
          if (snapshot !== undefined) said.push(thrown(() => one.restore(snapshot as Snapshot)));
        }
      },
    };
    const made = machine(arm, 64, 0n, sink);
    const { table, memory, frames } = made;
    const other = new PageTable({ format: arm, memory, frames });
    other.map(BASE, [1], WRITE);
    table.map(BASE, [1], WRITE);
    snapshot = table.snapshot();
    table.unmap(BASE, 4096);
    expect(said).toHaveLength(4);
    for (const message of said) expect(message).toMatch(/^EBUSY: (this|another) page table .*in the middle/);
    table.restore(snapshot);
    expect(said).toHaveLength(8);
    for (const message of said) expect(message).toMatch(/^EBUSY/);
    expect(table.translate(BASE)).toBe(0x1000n);
  });

  it('what is no snapshot, or one of something else', () => {
    const made = machine(arm);
    const other = machine(arm);
    const snapshot = made.table.snapshot();
    const beside = new PageTable({
      format: arm,
      memory: made.memory,
      frames: new FrameAllocator(made.memory, { first: 32, frames: 8 }),
    });
    made.table.map(BASE, [1], WRITE);
    const before = digest(made);
    for (const none of [undefined, null, 5, {}, { bytes: 4096 }, structuredClone(snapshot)]) {
      expect(thrown(() => made.table.restore(none as Snapshot))).toMatch(/^EINVAL: the snapshot is none/);
    }
    const message = 'EINVAL: the snapshot is of another memory or another allocator';
    expect(thrown(() => made.table.restore(other.table.snapshot()))).toBe(message);
    expect(thrown(() => beside.restore(snapshot))).toBe(message);
    expect(digest(made)).toBe(before);
    const twin = new PageTable({ format: arm, memory: other.memory, frames: made.frames });
    expect(thrown(() => twin.restore(snapshot))).toBe(message);
    expect(made.table.translate(BASE)).toBe(0x1000n);
    expect(made.flushes).toEqual([]);
  });

  it('a memory whose bytes went away', () => {
    const ram = new ArrayBuffer(1 << 18);
    const memory = PhysicalMemory.of([{ bytes: 1 << 18 }, { source: ram, base: 1n << 32n }]);
    const frames = new FrameAllocator(memory);
    const table = new PageTable({ format: arm, memory, frames });
    const snapshot = table.snapshot();
    table.map(BASE, [1], WRITE);
    structuredClone(ram, { transfer: [ram] });
    expect(thrown(() => table.restore(snapshot))).toBe(
      'EINVAL: the memory has not the banks that the snapshot was made of',
    );
    expect(table.translate(BASE)).toBe(0x1000n);
    expect(thrown(() => table.snapshot())).toMatch(/^EFAULT at 0x0000000100000000/);
  });

  it('a table that is only read', () => {
    const { table, memory } = machine(arm);
    const snapshot = table.snapshot();
    const reader = PageTable.open({ format: arm, memory, root: table.root });
    expect(thrown(() => reader.snapshot())).toMatch(/^EPERM: this page table is read-only/);
    expect(thrown(() => reader.restore(snapshot))).toMatch(/^EPERM: this page table is read-only/);
    // It has no tables to lose, and goes on.
    table.restore(snapshot);
    expect(reader.translate(BASE)).toBeNull();
  });
});

it('keeps the counts of work', () => {
  const { table } = machine(arm);
  const snapshot = table.snapshot();
  table.map(BASE, [1], WRITE, PAGES);
  const { tablesAllocated, flushes } = table.counters;
  table.restore(snapshot);
  expect(table.counters.tablesAllocated).toBe(tablesAllocated);
  expect(table.counters.flushes).toBe(flushes + 1);
});

describe('a page table whose calls are all on the fast path', () => {
  it('is gone like others when it was made after the snapshot', () => {
    const { table, memory, frames } = machine(arm);
    const snapshot = table.snapshot();
    const late = new PageTable({ format: arm, memory, frames });
    table.restore(snapshot);
    expect(thrown(() => late.translateWords(-65536, 0))).toMatch(/^EINVAL: this page table was destroyed/);
    expect(thrown(() => late.translate(BASE))).toMatch(
      /^EINVAL: this page table was made after the snapshot/,
    );
  });

  it('is flushed like others', () => {
    const { table, memory, frames } = machine(arm);
    table.map(BASE, [1], WRITE);
    const flushed: bigint[] = [];
    const sink = { flush: (va: bigint) => void flushed.push(va) };
    const other = PageTable.open({ format: arm, memory, root: table.root, frames, sink });
    const snapshot = table.snapshot();
    table.unmap(BASE, 4096);
    expect(other.translateWords(-65536, 0)).toBe(-1);
    table.restore(snapshot);
    expect(flushed).toEqual([BASE]);
    expect(other.translateWords(-65536, 0)).toBe(1);
  });
});
