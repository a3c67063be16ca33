import { createHash } from 'node:crypto';
import { FrameAllocator, PageTable, PhysicalMemory, protection, sparseBank } from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../../formats/arm64.js';
import { fingerprint } from '../../support/digest.js';

const WRITE = protection({ write: true, global: true });
const MiB = 1024 * 1024;
const arm = arm64({ granule: 4, vaBits: 48 });
const BASE = 0xffff000000000000n;

describe('a call that meets a table without bytes', () => {
  /** Pages before, in and after a table whose entry points to no memory. */
  function damaged() {
    const made = machine(arm);
    const { table, memory } = made;
    for (const page of [0n, 0x200000n, 0x400000n]) table.map(BASE + page, [1], WRITE);
    const { address } = table.walk(BASE + 0x200000n).steps[2] as { address: bigint };
    memory.write64(address, 0x7000000403n);
    return made;
  }
  const missing = 'EFAULT at 0xffff000000200000: the table at physical 0x7000000000 has no bytes';

  test.each([false, true])('changes and flushes nothing as an unmap (reclaim %s)', (reclaim) => {
    const { table, memory, frames, flushes } = damaged();
    const before = fingerprint({ memory, frames });
    expect(thrown(() => table.unmap(BASE, 6 * MiB, { reclaim }))).toBe(missing);
    expect(thrown(() => table.unmap(BASE + 0x200000n, 4096, { reclaim }))).toBe(missing);
    expect(fingerprint({ memory, frames })).toBe(before);
    expect(flushes).toEqual([]);
    expect(table.translate(BASE)).toBe(0x1000n);
    // The parts beside it can be unmapped by themselves.
    table.unmap(BASE, 2 * MiB);
    table.unmap(BASE + 0x400000n, 2 * MiB);
    expect([...table.leaves(BASE, 2 * MiB)]).toEqual([]);
  });

  test('undoes its writes when it is a map', () => {
    const { table, memory, frames } = damaged();
    const before = fingerprint({ memory, frames });
    const call = () => table.mapRange(BASE + 0x1000n, 0n, 3 * MiB, WRITE, { maxLeafShift: 12 });
    expect(thrown(call)).toBe(missing);
    expect(fingerprint({ memory, frames })).toBe(before);
    expect(table.translate(BASE + 0x1000n)).toBeNull();
  });

  test('does not replace it by a block', () => {
    const { table, memory, frames } = damaged();
    const before = fingerprint({ memory, frames });
    expect(thrown(() => table.mapRange(BASE + 0x200000n, 0n, 2 * MiB, WRITE))).toBe(missing);
    expect(fingerprint({ memory, frames })).toBe(before);
  });
});

describe('a read-only root with frames beside it', () => {
  test('can be read, and no call changes it', () => {
    const source = machine(arm, 16, 0x100000000n);
    source.table.map(BASE, [0x11], WRITE);
    const bytes = new Uint8Array(source.memory.bytesAt(0x100000000n, 16 * 4096)).slice();
    const memory = PhysicalMemory.of([
      { bytes: 16 * 4096, base: 0n },
      { source: bytes.buffer, base: 0x100000000n, writable: false },
    ]);
    const frames = new FrameAllocator(memory, { first: 0, frames: 16 });
    const table = new PageTable({ format: arm, memory, root: source.table.root, frames });
    const before = fingerprint({ memory, frames });
    const copy = Buffer.from(bytes);
    const message = /^EPERM: this page table is read-only/;
    // This holds for a slot of the root itself as well.
    expect(thrown(() => table.map(BASE + (1n << 39n), [1], WRITE))).toMatch(message);
    expect(thrown(() => table.map(BASE + 4096n, [1], WRITE))).toMatch(message);
    expect(thrown(() => table.unmap(BASE, 1n << 40n))).toMatch(message);
    expect(thrown(() => table.destroy())).toMatch(message);
    expect(copy.equals(bytes)).toBe(true);
    expect(fingerprint({ memory, frames })).toBe(before);
    expect(table.translate(BASE)).toBe(0x11000n);
  });
});

describe('read-only tables below a writable root', () => {
  /** A subtree of an image in the first slot of the root, tables of its own in the second. */
  function linked() {
    const source = machine(arm, 16, 0x100000000n);
    source.table.map(BASE, [0x11, 0x12], WRITE);
    source.table.mapRange(BASE + BigInt(4 * MiB), 0n, 2 * MiB, WRITE);
    const image = new Uint8Array(source.memory.bytesAt(0x100000000n, 16 * 4096)).slice();
    const memory = PhysicalMemory.of([
      { bytes: 64 * 4096, base: 0n },
      sparseBank({
        addresses: Array.from({ length: 16 }, (_, i) => 0x100000000n + BigInt(i * 4096)),
        bytes: image,
        pageShift: 12,
      }),
    ]);
    const frames = new FrameAllocator(memory, { first: 0, frames: 64 });
    const flushes: bigint[] = [];
    const sink = { flush: (va: bigint) => flushes.push(va) };
    const table = new PageTable({ format: arm, memory, frames, sink });
    memory.write64(table.root, source.memory.read64(source.table.root));
    const hash = () => createHash('sha256').update(image).digest('hex');
    return { table, memory, frames, flushes, hash };
  }
  const refused = /^EPERM at 0xffff000000.*: the table at physical 0x100001000 is in read-only memory$/;

  test('can be read', () => {
    const { table } = linked();
    expect(table.translate(BASE + 0x1000n)).toBe(0x12000n);
    expect(table.walk(BASE + BigInt(4 * MiB)).leaf?.leafShift).toBe(21);
    expect([...table.leaves()].map((run) => run.pfn)).toEqual([0x11, 0]);
  });

  test('are changed by no map, unmap or reclaim', () => {
    const { table, memory, frames, flushes, hash } = linked();
    const before = fingerprint({ memory, frames });
    const bytes = hash();
    expect(thrown(() => table.map(BASE + 0x2000n, [1], WRITE))).toMatch(refused);
    expect(thrown(() => table.map(BASE, [1], WRITE))).toMatch(refused);
    expect(thrown(() => table.mapRange(BASE + BigInt(8 * MiB), 0n, 2 * MiB, WRITE))).toMatch(refused);
    expect(thrown(() => table.unmap(BASE, 4096))).toMatch(refused);
    expect(thrown(() => table.unmap(BASE, 1n << 40n, { reclaim: true }))).toMatch(refused);
    // Nothing is mapped there, but its tables could not be changed.
    expect(thrown(() => table.unmap(BASE + 0x9000n, 4096))).toMatch(refused);
    expect(hash()).toBe(bytes);
    expect(fingerprint({ memory, frames })).toBe(before);
    expect(flushes).toEqual([]);
  });

  test('make a call undo what it has written before it met them', () => {
    const { table, memory, frames, hash } = linked();
    const bytes = hash();
    // The first slot becomes the second, so that the range runs from own tables into those of the image.
    const entry = memory.read64(table.root);
    memory.write64(table.root, 0n);
    memory.write64(table.root + 8n, entry);
    const before = fingerprint({ memory, frames });
    const start = BASE + (1n << 39n) - 0x2000n;
    expect(thrown(() => table.map(start, [1, 2, 3], WRITE))).toMatch(/^EPERM at 0xffff008000000000/);
    expect(fingerprint({ memory, frames })).toBe(before);
    expect(hash()).toBe(bytes);
  });

  test('stay when the root is destroyed', () => {
    const { table, frames, hash } = linked();
    const bytes = hash();
    table.map(BASE + (1n << 39n), [1], WRITE);
    table.destroy();
    expect(frames.stats().allocated).toBe(0);
    expect(hash()).toBe(bytes);
  });
});
