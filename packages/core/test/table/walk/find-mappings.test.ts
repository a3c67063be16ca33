import {
  findMappings,
  listLeaves,
  PageTableReader,
  PhysicalMemory,
  protection,
  sparseBank,
} from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../../formats/arm64.js';
import { riscv64 } from '../../formats/riscv64.js';
import { x86 } from '../../formats/x86.js';
import { KERNEL, MIB, USER } from '../../support/dump.js';
import { entryAt } from '../../support/entries.js';

const GIB = 1024n * MIB;

describe('findMappings', () => {
  test('finds all addresses of a byte, in blocks, runs and pages', () => {
    const { table } = machine(arm64({ granule: 4, vaBits: 39, half: 'ttbr0' }));
    table.mapRange(GIB, 0n, GIB, KERNEL);
    table.mapRange(2n * GIB, 2n * MIB, 2n * MIB, USER);
    table.mapRange(3n * GIB, 2n * MIB, 0x10000n, KERNEL);
    table.map(4n * GIB, [0x1000, 0x205, 0x205], KERNEL);
    const found = [...findMappings(table, { physical: 2n * MIB + 0x5123n })];
    expect(
      found.map((item) =>
        item.kind === 'mapping'
          ? [item.va, item.bytes, item.pa, item.leaves.leafShift, item.leaves.runShift]
          : item,
      ),
    ).toEqual([
      [GIB + 2n * MIB + 0x5000n, 4096n, 2n * MIB + 0x5000n, 30, null],
      [2n * GIB + 0x5000n, 4096n, 2n * MIB + 0x5000n, 21, null],
      [3n * GIB + 0x5000n, 4096n, 2n * MIB + 0x5000n, 12, 16],
      [4n * GIB + 0x1000n, 4096n, 2n * MIB + 0x5000n, 12, null],
      [4n * GIB + 0x2000n, 4096n, 2n * MIB + 0x5000n, 12, null],
    ]);
    expect(found.map((item) => item.kind === 'mapping' && item.leaves.rights.user)).toEqual([
      false,
      true,
      false,
      false,
      false,
    ]);
  });

  test('cuts a block to the range, and gives one item for each stretch of frames', () => {
    const { table } = machine(riscv64(3));
    table.mapRange(0n, 4n * MIB, 2n * MIB, KERNEL);
    const parts = (options: Parameters<typeof findMappings>[1]) =>
      [...findMappings(table, options)].map(({ va, bytes, pa }) => [va, bytes, pa]);
    expect(parts({ physical: 4n * MIB - 1n, bytes: 4097 + 4096 })).toEqual([[0n, 8192n, 4n * MIB]]);
    expect(parts({ frames: [0x5ff, 0x410, 0x411, 0x410, 0x3ff, 0x600] })).toEqual([
      [0x10000n, 8192n, 0x410000n],
      [0x1ff000n, 4096n, 0x5ff000n],
    ]);
    expect(parts({ frames: new Uint32Array([0x3ff, 0x600]) })).toEqual([]);
  });

  test('finds the frames of a NAPOT run one by one', () => {
    const { table } = machine(riscv64(3));
    table.mapRange(0x10000n, 0x20000n, 0x10000n, KERNEL);
    const [found] = findMappings(table, { physical: 0x27000n });
    expect(found).toMatchObject({
      va: 0x17000n,
      pa: 0x27000n,
      pfn: 0x27,
      leaves: { runShift: 16, count: 1 },
    });
  });

  test('names a table without bytes, since it may map the frame', () => {
    const { table, memory } = machine(riscv64(3));
    table.map(0x1000n, [7], KERNEL);
    table.map(2n * MIB, [7], KERNEL);
    const missing = entryAt(table, 2n * MIB).table;
    const kept = Array.from({ length: 64 }, (_, i) => BigInt(i) * 4096n).filter((pa) => pa !== missing);
    const bytes = new Uint8Array(kept.length * 4096);
    kept.forEach((pa, i) => void bytes.set(memory.bytesAt(pa, 4096), i * 4096));
    const dump = PhysicalMemory.of([sparseBank({ pageShift: 12, addresses: kept, bytes })]);
    const image = new PageTableReader({ format: riscv64(3), memory: dump, root: table.root });
    expect([...findMappings(image, { frames: [7] })]).toMatchObject([
      { kind: 'mapping', va: 0x1000n },
      { kind: 'missing', va: 2n * MIB, bytes: 2n * MIB, address: entryAt(table, 2n * MIB, 1).address },
    ]);
  });

  test('lists a shared table at each address only when it maps the frame', () => {
    const { table, memory } = machine(x86(4));
    table.map(0x1000n, [7], KERNEL);
    const { address, entry } = entryAt(table, 0x1000n, 1);
    memory.write64(address + 8n, entry);
    const found = (frame: number, again?: 'name') =>
      [...findMappings(table, { frames: [frame], ...(again && { again }) })].map(({ kind, va }) => [
        kind,
        va,
      ]);
    expect(found(7)).toEqual([
      ['mapping', 0x1000n],
      ['mapping', GIB + 0x1000n],
    ]);
    expect(found(7, 'name')).toEqual([
      ['mapping', 0x1000n],
      ['again', GIB],
    ]);
    table.resetCounters();
    expect(found(8)).toEqual([]);
    expect(table.counters.tablesRead).toBe(4);
  });

  test('reads the tables once for many frames, and streams', () => {
    const { table } = machine(x86(4), 256);
    table.map(
      0n,
      Uint32Array.from({ length: 4096 }, (_, i) => 2 * i),
      KERNEL,
    );
    table.resetCounters();
    const frames = Uint32Array.from({ length: 8192 }, (_, i) => i);
    expect([...findMappings(table, { frames })]).toHaveLength(4096);
    expect(table.counters).toMatchObject({ tablesRead: 3 + 8, entriesRead: (3 + 8) * 512 });
    table.resetCounters();
    expect(findMappings(table, { frames }).next().value).toMatchObject({ va: 0n });
    expect(table.counters.entriesRead).toBe(3 + 2);
  });

  test('agrees with a search through all pages', () => {
    const page = fc.nat({ max: 600 });
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(page, page), { selector: ([va]) => va, maxLength: 40 }),
        fc.array(page, { minLength: 1, maxLength: 20 }),
        (mapped, frames) => {
          const { table } = machine(riscv64(3), 64);
          for (const [va, pfn] of mapped) table.map(BigInt(va) << 12n, [pfn], KERNEL);
          const pages = [...findMappings(table, { frames })].flatMap((item) =>
            Array.from({ length: Number(item.bytes >> 12n) }, (_, i) => [
              Number(item.va >> 12n) + i,
              item.pfn + i,
            ]),
          );
          const wanted = mapped.filter(([, pfn]) => frames.includes(pfn)).sort(([a], [b]) => a - b);
          expect(pages).toEqual(wanted);
        },
      ),
    );
  });

  test('refuses what names no frames, or names them twice', () => {
    const { table } = machine(riscv64(3));
    expect(thrown(() => findMappings(table, {}))).toMatch(
      /^EINVAL: findMappings\(\) needs either `physical` or `frames`/,
    );
    expect(thrown(() => findMappings(table, { physical: 0n, frames: [1] }))).toMatch(/needs either/);
    expect(thrown(() => findMappings(table, { frames: [1], bytes: 1 }))).toMatch(/needs either/);
    expect(thrown(() => findMappings(table, { frames: [1.5] }))).toMatch(
      /^EINVAL: frame 1.5 of page 0 is not a frame number/,
    );
    expect(thrown(() => findMappings(table, { physical: -1n }))).toMatch(/^ERANGE/);
    expect(thrown(() => findMappings(table, { physical: 0n, bytes: 0 }))).toMatch(/^EINVAL/);
    expect(thrown(() => findMappings(table, { pa: 0n } as never))).toMatch(/has no option `pa`/);
    expect(thrown(() => findMappings({} as never, { physical: 0n }))).toMatch(/is not a page table/);
  });
});

describe('a run of leaves', () => {
  test('has its protection, memory type, run size, and the rights that tables leave', () => {
    const { table, memory } = machine(arm64({ granule: 4, vaBits: 39, half: 'ttbr0' }));
    const given = protection({ write: true, user: true, memory: 'device' });
    table.mapRange(0n, 0n, 0x10000n, given);
    const { address, entry } = entryAt(table, 0n, 1);
    const list = () => [...listLeaves(table, { complete: true })];
    expect(list()).toMatchObject([
      {
        bytes: 0x10000n,
        count: 16,
        leafShift: 12,
        runShift: 16,
        rights: { read: true, write: true, user: true },
      },
    ]);
    expect(list()[0]?.protection).toEqual(table.walk(0n).leaf?.protection);
    expect(list()[0]?.attributes).toEqual(table.walk(0n).leaf?.attributes);
    // APTable[1]: nothing below may be written. The leaf says so no longer alone.
    memory.write64(address, entry | (1n << 62n));
    expect(list()[0]).toMatchObject({
      protection: { write: true },
      rights: { read: true, write: false, user: true },
    });
  });
});
