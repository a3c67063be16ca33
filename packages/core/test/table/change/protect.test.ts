import { firstAddress } from '@vmarea/conformance';
import { protection, words } from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../../formats/arm64.js';
import { formats } from '../../formats/index.js';
import { riscv64 } from '../../formats/riscv64.js';
import { fingerprint } from '../../support/digest.js';
import { entryAt, markRun, sizes } from '../../support/entries.js';

const WRITE = protection({ write: true, global: true });
const MiB = 1024 * 1024;
const arm = arm64({ granule: 4, vaBits: 48 });
const BASE = 0xffff000000000000n;
/** Bits 55 to 58 of arm64 are for software. */
const SOFTWARE = 0b101n << 55n;
const READ_ONLY = 1n << 7n;
const DBM = 1n << 51n;
const CONT = 1n << 52n;

describe('protect', () => {
  test('changes the given members of each leaf, and no others', () => {
    const { table } = machine(arm);
    table.map(BASE, [1, 2], WRITE);
    table.map(BASE + 0x2000n, [3], protection({ write: true, user: true, execute: true, memory: 'device' }));
    table.protect(BASE, 3 * 4096, { write: false });
    const read = (page: bigint) => table.walk(BASE + page * 4096n).leaf?.protection;
    expect(read(0n)).toEqual(protection({ global: true }));
    expect(read(2n)).toEqual(protection({ user: true, execute: true, memory: 'device' }));
    expect(table.translate(BASE + 0x1000n)).toBe(0x2000n);
    table.protect(BASE, 4096, protection({ execute: true }));
    expect(read(0n)).toEqual(protection({ execute: true }));
    expect(read(1n)).toEqual(protection({ global: true }));
  });

  test('keeps software bits, which may differ from entry to entry', () => {
    const made = machine(arm);
    const { table, memory } = made;
    table.map(BASE, [1, 2, 3, 4], WRITE);
    const bits = [0n, SOFTWARE, 1n << 58n, SOFTWARE];
    bits.forEach((extra, i) => {
      const { address, entry } = entryAt(table, BASE + BigInt(i * 4096));
      memory.write64(address, entry | extra);
    });
    const before = bits.map((_, i) => entryAt(table, BASE + BigInt(i * 4096)).entry);
    table.protect(BASE, 4 * 4096, { write: false });
    // A dirty page is not writable now: arm64 keeps both in DBM and AP[2].
    expect(bits.map((_, i) => entryAt(table, BASE + BigInt(i * 4096)).entry)).toEqual(
      before.map((entry) => (entry & ~DBM) | READ_ONLY),
    );
  });

  test('skips empty slots, missing tables, and entries that the MMU ignores', () => {
    const { table, memory } = machine(arm);
    table.map(BASE, [1], WRITE);
    const { address } = entryAt(table, BASE);
    memory.write64(address + 8n, 0xabc000n);
    table.protect(BASE, 1n << 40n, { write: false });
    expect(memory.read64(address + 8n)).toBe(0xabc000n);
    expect(table.walk(BASE).leaf?.protection.write).toBe(false);
    expect(sizes(table)).toEqual([[BASE, 12, 1]]);
  });

  test('writes, flushes and splits nothing when nothing changes', () => {
    const { table, flushes, memory, frames } = machine(arm);
    table.map(BASE, [1, 2, 3], WRITE);
    table.mapRange(BASE + BigInt(2 * MiB), 0n, 2 * MiB, WRITE);
    const before = fingerprint({ memory, frames });
    table.resetCounters();
    table.protect(BASE, 3 * MiB, { write: true, global: true });
    table.protect(BASE, 3 * MiB, {});
    expect(table.counters).toMatchObject({ entriesWritten: 0, flushes: 0, tablesAllocated: 0 });
    expect(flushes).toEqual([]);
    expect(fingerprint({ memory, frames })).toBe(before);
  });

  test('flushes the hull of what changed, with the stride of its smallest leaf', () => {
    const { table, flushes } = machine(arm);
    table.map(BASE, [1, 2, 3], protection());
    table.map(BASE + 0x1000_0000n, [9], WRITE);
    table.mapRange(BASE + 0x4000_0000n, 0n, 2 * MiB, WRITE);
    table.protect(BASE, 1n << 40n, { write: false });
    expect(flushes).toEqual([
      { va: BASE + 0x1000_0000n, bytes: 0x3020_0000n, leafShift: 12, tablesFreed: [] },
    ]);
  });

  test('splits a block that it covers in part, with one flush; the rest stays as large as possible', () => {
    const { table, flushes } = machine(arm);
    table.mapRange(BASE, 0x4000_0000n, 1 << 30, WRITE);
    table.protect(BASE + 0x20_1000n, 0x2000, { write: false });
    expect(sizes(table)).toEqual([
      [BASE, 21, 1],
      [BASE + 0x20_0000n, 12, 1],
      [BASE + 0x20_1000n, 12, 2],
      [BASE + 0x20_3000n, 12, 509],
      [BASE + 0x40_0000n, 21, 510],
    ]);
    expect(table.walk(BASE + 0x20_1000n).leaf?.protection.write).toBe(false);
    expect(table.walk(BASE + 0x20_0000n).leaf?.protection.write).toBe(true);
    expect(table.translate(BASE + 0x3fff_f123n)).toBe(0x7fff_f123n);
    expect(flushes).toEqual([{ va: BASE, bytes: 1n << 30n, leafShift: 12, tablesFreed: [] }]);
  });

  test('refuses to split a block with split: false', () => {
    const { table, memory, frames, flushes } = machine(arm);
    table.mapRange(BASE, 0n, 4 * MiB, WRITE);
    const before = fingerprint({ memory, frames });
    expect(thrown(() => table.protect(BASE, 3 * MiB, { write: false }, { split: false }))).toBe(
      'EINVAL at 0xffff000000300000: the range ends inside a PMD entry of 0x200000 bytes; name all of it: it starts at 0xffff000000200000',
    );
    expect(fingerprint({ memory, frames })).toBe(before);
    expect(flushes).toEqual([]);
  });

  test('refuses wrong members, whether anything is mapped or not', () => {
    const { table } = machine(arm);
    const call = (fields: object) => thrown(() => table.protect(BASE, 4096, fields));
    expect(call({ writable: true })).toBe(
      'EINVAL: the protection has no member `writable`; it has read, write, execute, user, global, memory, accessed, dirty, extra',
    );
    expect(call({ write: 1 })).toMatch(/^EINVAL: write of the protection is 1, expected a boolean/);
    expect(call({ memory: 'write-through' })).toBe(
      'EINVAL: arm64-4k-48 has no memory type write-through; it has normal, tagged, write-combining, uncached, device',
    );
    expect(thrown(() => table.protect(BASE, 4096, null as never))).toMatch(
      /^EINVAL: the members of the protection are null/,
    );
  });

  test('is undone when the format refuses to change an entry', () => {
    const riscv = riscv64(3);
    const { table, memory, frames } = machine(riscv);
    table.map(0x1000n, [1], protection());
    table.map(0x200000n, [2], protection({ write: true }));
    const before = fingerprint({ memory, frames });
    // riscv64 has no leaf for a page that can be neither read nor executed.
    expect(thrown(() => table.protect(0n, 4 * MiB, { read: false }))).toMatch(
      /^EINVAL: riscv64-sv39 changes 0x0000000000000043 to 0x0000000000000041, no PTE leaf/,
    );
    expect(fingerprint({ memory, frames })).toBe(before);
  });
});

describe('protect of a run', () => {
  const small = arm64({ granule: 4, vaBits: 39, half: 'ttbr0' });
  const riscv = riscv64(3);
  test.each([
    ['contiguous', small, CONT],
    ['NAPOT', riscv, 1n << 63n],
  ] as const)(
    'keeps the %s mark of a run that it covers whole, and takes all marks of a run that it covers in part',
    (_n, format, mark) => {
      const made = machine(format);
      const { table, memory } = made;
      table.mapRange(0x10000n, 0x50010000n, 48 * 4096, WRITE, { maxLeafShift: 12 });
      for (const start of [0x10000n, 0x20000n, 0x30000n]) markRun(made, start, 16, mark);
      table.protect(0x10000n, 17 * 4096, { write: false });
      for (let page = 0x10n; page < 0x40n; page++) {
        const walk = table.walk(page << 12n);
        expect(walk.pa, `page ${page}`).toBe(0x50000000n + (page << 12n));
        expect(walk.leaf?.protection.write, `page ${page}`).toBe(page > 0x20n);
        expect(walk.leaf?.runShift, `page ${page}`).toBe(page < 0x20n || page >= 0x30n ? 16 : null);
        expect((memory.read64(entryAt(table, page << 12n).address) & mark) !== 0n).toBe(
          page < 0x20n || page >= 0x30n,
        );
      }
    },
  );
});

describe('a change that needs a break', () => {
  test('has the entry invalid during the flush, and written after it', () => {
    const seen: bigint[] = [];
    const made = machine(arm, 64, 0n, { flush: () => seen.push(made.memory.read64(slot)) });
    made.table.map(BASE, [1], WRITE);
    const slot = entryAt(made.table, BASE).address;
    made.table.protect(BASE, 4096, { write: false });
    expect(seen).toEqual([0n]);
    expect(made.table.walk(BASE).leaf?.protection.write).toBe(false);
    expect(arm.decode(words(made.memory.read64(slot)), 3).write).toBe(false);
  });

  test('changes size and rights of a block in two writes where no break is needed', () => {
    const { table, memory } = machine(riscv64(3));
    table.mapRange(0x200000n, 0n, 2 * MiB, WRITE);
    const slot = entryAt(table, 0x200000n).address;
    const words = memory.banks[0]?.words as Int32Array;
    const written: bigint[] = [];
    // The slot of the block at each write of a run of entries: first the block, then a table.
    words.set = function (this: Int32Array, ...run: Parameters<Int32Array['set']>) {
      written.push(memory.read64(slot) & 0xfn);
      Int32Array.prototype.set.apply(this, run);
    };
    table.protect(0x201000n, 4096, { write: false });
    // A table with the same leaves replaces the block, then one of its pages changes.
    expect(written).toEqual([0x7n, 0x1n]);
    expect(table.walk(0x201000n).leaf?.protection.write).toBe(false);
  });

  test('leaves the entry valid throughout where no break is needed', () => {
    const seen: bigint[] = [];
    const made = machine(riscv64(3), 64, 0n, { flush: () => seen.push(made.memory.read64(slot)) });
    made.table.map(0x1000n, [1], WRITE);
    const slot = entryAt(made.table, 0x1000n).address;
    made.table.protect(0x1000n, 4096, { write: false });
    expect(seen).toEqual([made.memory.read64(slot)]);
    expect((seen[0] as bigint) & 0b100n).toBe(0n);
  });
});

describe('leaves with different rights', () => {
  test.each(formats)('are each changed, in whichever word of the entry the bits are: $name', (format) => {
    const { table, pageBytes } = machine(format);
    const base = firstAddress(format, 'lower');
    const page = (i: number): bigint => base + BigInt(i * pageBytes);
    // The first ones need no change: what is equal to them is passed over, and nothing else.
    const frames = Array.from({ length: 4 }, (_, i) => 3 * i + 1);
    const kinds = [
      { write: true, execute: true },
      { write: true, execute: false },
      { write: false, execute: true },
      { write: false, execute: false },
    ];
    for (const [i, kind] of kinds.entries())
      table.map(page(4 * i), frames, protection({ ...kind, global: true }));
    for (const fields of [{ execute: true }, { write: true }]) table.protect(base, 16 * pageBytes, fields);
    for (let i = 0; i < 16; i++) {
      const { leaf, pa } = table.walk(page(i));
      expect([leaf?.protection.write, leaf?.protection.execute, pa], `page ${i}`).toEqual([
        true,
        true,
        BigInt((frames[i % 4] as number) * pageBytes),
      ]);
    }
  });
});
