import { collapseLeaves, protection, splitLeaves } from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../../formats/arm64.js';
import { riscv64 } from '../../formats/riscv64.js';
import { fingerprint } from '../../support/digest.js';
import { entryAt, markRun, sizes } from '../../support/entries.js';

const WRITE = protection({ write: true, global: true });
const MiB = 1024 * 1024;
const GiB = 1024 * MiB;
const arm = arm64({ granule: 4, vaBits: 48 });
const riscv = riscv64(3);
const BASE = 0xffff000000000000n;
const SOFTWARE = 0b101n << 55n;

describe('split', () => {
  test('makes pages of the range, and leaves the rest as large as possible', () => {
    const { table, frames, flushes } = machine(arm);
    table.mapRange(BASE, 0n, 2 * GiB, WRITE);
    splitLeaves(table, BASE + 0x3fff_f000n, 8192);
    expect(sizes(table)).toEqual([
      [BASE, 21, 511],
      [BASE + BigInt(GiB - 2 * MiB), 12, 1024],
      [BASE + BigInt(GiB + 2 * MiB), 21, 511],
    ]);
    for (const va of [0n, 0x3fff_e000n, 0x3fff_f000n, 0x4000_0000n, 0x4000_1abcn, 0x7fff_ffffn]) {
      expect(table.translate(BASE + va)).toBe(va);
      expect(table.walk(BASE + va).leaf?.protection).toEqual(WRITE);
    }
    // The root, a PUD table, and two tables on each side.
    expect(frames.stats().allocated).toBe(6);
    expect(flushes).toEqual([{ va: BASE, bytes: BigInt(2 * GiB), leafShift: 21, tablesFreed: [] }]);
  });

  test('stops at leafShift', () => {
    const { table } = machine(arm);
    table.mapRange(BASE, 0n, GiB, WRITE);
    splitLeaves(table, BASE, 4096, { leafShift: 21 });
    expect(sizes(table)).toEqual([[BASE, 21, 512]]);
    splitLeaves(table, BASE, 4096, { leafShift: 21 });
    splitLeaves(table, BASE, 4096, { leafShift: 30 });
    expect(sizes(table)).toEqual([[BASE, 21, 512]]);
    expect(thrown(() => splitLeaves(table, BASE, 4096, { leafShift: 16 }))).toBe(
      'EINVAL: leafShift is 16, which is not a leaf size of arm64-4k-48; it has 12, 21, 30',
    );
  });

  test('keeps software bits, and drops bits that would be an address in a smaller leaf', () => {
    const { table, memory } = machine(arm);
    table.mapRange(BASE, 0x4000_0000n, 2 * MiB, WRITE);
    const { address, entry } = entryAt(table, BASE);
    // Bits 20 to 12 of a block are RES0; in a page they are part of the address.
    memory.write64(address, entry | SOFTWARE | (1n << 13n));
    splitLeaves(table, BASE, 4096);
    expect(entryAt(table, BASE + 0x5000n).entry).toBe((entry & ~0b11n) | 0b11n | SOFTWARE | 0x5000n);
  });

  test('clears the marks of the runs that it meets, and of no others', () => {
    const made = machine(riscv);
    const { table } = made;
    table.mapRange(0x10000n, 0x50010000n, 32 * 4096, WRITE);
    for (const start of [0x10000n, 0x20000n]) markRun(made, start, 16, 1n << 63n);
    splitLeaves(table, 0x13000n, 4096);
    const shifts = [0x10000n, 0x1f000n, 0x20000n, 0x2f000n].map((va) => table.walk(va).leaf?.runShift);
    expect(shifts).toEqual([null, null, 16, 16]);
    expect(table.translate(0x1f000n)).toBe(0x5001f000n);
  });

  test('does nothing for pages and empty slots', () => {
    const { table, memory, frames, flushes } = machine(arm);
    table.map(BASE, [1, 2], WRITE);
    const before = fingerprint({ memory, frames });
    splitLeaves(table, BASE, GiB);
    expect(fingerprint({ memory, frames })).toBe(before);
    expect(flushes).toEqual([]);
  });

  test('clears the entry of a block before it links the table, where the format needs a break', () => {
    const seen: bigint[] = [];
    const made = machine(arm, 64, 0n, { flush: () => seen.push(made.memory.read64(slot)) });
    made.table.mapRange(BASE, 0n, 2 * MiB, WRITE);
    const slot = entryAt(made.table, BASE).address;
    splitLeaves(made.table, BASE, 4096);
    expect(seen).toEqual([0n]);
    expect(made.table.walk(BASE).steps).toHaveLength(4);
  });
});

describe('collapse', () => {
  test('makes a block of 512 pages, and one of 512 blocks, in one call', () => {
    const { table, frames, flushes } = machine(arm, 600);
    table.mapRange(BASE, 0x4000_0000n, GiB, WRITE, { maxLeafShift: 12 });
    expect(frames.stats().allocated).toBe(3 + 512);
    expect(collapseLeaves(table, BASE, GiB)).toBe(1);
    expect(sizes(table)).toEqual([[BASE, 30, 1]]);
    expect(table.translate(BASE + 0x1234_5678n)).toBe(0x5234_5678n);
    expect(frames.stats().allocated).toBe(2);
    expect(flushes).toHaveLength(1);
    expect(flushes[0]).toMatchObject({ va: BASE, bytes: BigInt(GiB), leafShift: 12 });
    expect(flushes[0]?.tablesFreed).toHaveLength(513);
  });

  test('undoes a split', () => {
    const { table, memory, frames } = machine(arm);
    table.mapRange(BASE, 0n, GiB, WRITE);
    const before = fingerprint({ memory, frames });
    splitLeaves(table, BASE + 0x12_3000n, 4096);
    expect(collapseLeaves(table, BASE, GiB)).toBe(1);
    expect(fingerprint({ memory, frames })).toBe(before);
  });

  test('keeps to its range and to maxLeafShift', () => {
    const { table } = machine(arm, 600);
    table.mapRange(BASE, 0n, GiB, WRITE, { maxLeafShift: 12 });
    // A block, and 31 runs of the table that is partly in the range.
    expect(collapseLeaves(table, BASE + 0x1000n, 4 * MiB)).toBe(1 + 31);
    expect(collapseLeaves(table, BASE, GiB, { maxLeafShift: 21 })).toBe(511);
    expect(sizes(table)).toEqual([[BASE, 21, 512]]);
    // Runs of 16 blocks; the last block extends beyond the range.
    expect(collapseLeaves(table, BASE, GiB - 4096)).toBe(31);
    expect(collapseLeaves(table, BASE, GiB, { maxLeafShift: 29 })).toBe(1);
    expect(collapseLeaves(table, BASE, GiB, { maxLeafShift: 29 })).toBe(0);
    expect(collapseLeaves(table, BASE, GiB)).toBe(1);
    expect(thrown(() => collapseLeaves(table, BASE, GiB, { maxLeafShift: 2.5 }))).toMatch(
      /^EINVAL: maxLeafShift is 2.5/,
    );
  });

  test('needs leaves that are adjacent, aligned and equal', () => {
    const refused = (change: (made: ReturnType<typeof machine>) => void, start = 0x4000_0000n): void => {
      const made = machine(arm);
      const { table, memory, frames } = made;
      table.mapRange(BASE, start, 2 * MiB, WRITE, { maxLeafShift: 12 });
      change(made);
      // First it makes runs where there is no block.
      collapseLeaves(table, BASE, 2 * MiB, { maxLeafShift: 16 });
      const before = fingerprint({ memory, frames });
      expect(collapseLeaves(table, BASE, 2 * MiB)).toBe(0);
      expect(fingerprint({ memory, frames })).toBe(before);
    };
    refused(() => {}, 0x4000_1000n);
    refused(({ table }) => table.unmap(BASE + 0x1ff000n, 4096));
    refused(({ table }) => table.protect(BASE + 0x1ff000n, 4096, { write: false }));
    // One other frame: below its neighbours, or above.
    for (const other of [0x3000n, 0x8000n]) {
      refused(({ table, memory }) => {
        const { address, entry } = entryAt(table, BASE + 0x7000n);
        memory.write64(address, entry ^ other);
      });
    }
    refused(({ table, memory }) => {
      const { address, entry } = entryAt(table, BASE + 0x7000n);
      memory.write64(address, entry | SOFTWARE);
    });
  });

  test('makes a block that is accessed and dirty if any of its pages was', () => {
    const { table, memory } = machine(riscv);
    table.mapRange(0x200000n, 0n, 2 * MiB, protection({ write: true, accessed: false, dirty: false }), {
      maxLeafShift: 12,
    });
    const bit = (va: bigint, bits: bigint) => {
      const { address, entry } = entryAt(table, va);
      memory.write64(address, entry | bits);
    };
    bit(0x205000n, 0x40n);
    bit(0x3ff000n, 0xc0n);
    expect(collapseLeaves(table, 0n, GiB)).toBe(1);
    expect(table.walk(0x200000n).leaf).toMatchObject({
      leafShift: 21,
      protection: { accessed: true, dirty: true, write: true },
    });
  });

  test('makes a block of runs', () => {
    const made = machine(riscv);
    const { table } = made;
    table.mapRange(0x200000n, 0x40000000n, 2 * MiB, WRITE, { maxLeafShift: 12 });
    for (let i = 0; i < 32; i++) markRun(made, 0x200000n + BigInt(i * 65536), 16, 1n << 63n);
    expect(collapseLeaves(table, 0x200000n, 2 * MiB)).toBe(1);
    expect(entryAt(table, 0x200000n).entry & (1n << 63n)).toBe(0n);
    expect(table.translate(0x234567n)).toBe(0x40034567n);
  });

  test('frees once a table that two entries point to', () => {
    const { table, memory, frames } = machine(arm);
    table.mapRange(BASE, 0x4000_0000n, 2 * MiB, WRITE, { maxLeafShift: 12 });
    const pmd = table.walk(BASE).steps[2] as { address: bigint; entry: bigint };
    memory.write64(pmd.address + 8n, pmd.entry);
    expect(collapseLeaves(table, BASE, 4 * MiB)).toBe(2);
    expect(frames.stats().allocated).toBe(3);
    expect(table.translate(BASE + BigInt(3 * MiB))).toBe(0x4010_0000n);
  });

  test('leaves tables of other owners alone', () => {
    const kernel = machine(arm);
    kernel.table.mapRange(BASE, 0n, 2 * MiB, WRITE, { maxLeafShift: 12 });
    const { memory, frames, format } = kernel;
    const process = machine(format);
    const other = new (process.table.constructor as typeof import('@vmarea/core').PageTable)({
      format,
      memory,
      frames,
    });
    memory.write64(other.root, memory.read64(kernel.table.root));
    // It marks runs in them, since that frees no table.
    expect(collapseLeaves(other, BASE, 2 * MiB)).toBe(32);
    expect(collapseLeaves(other, BASE, 2 * MiB)).toBe(0);
    expect(collapseLeaves(kernel.table, BASE, 2 * MiB)).toBe(1);
  });
});
