import type { PageTableFormat, ReadableTable } from '@vmarea/core';
import {
  checkTables,
  diffTables,
  dumpTables,
  leafSizes,
  listLeaves,
  PageTableReader,
  PhysicalMemory,
} from '@vmarea/core';
import { thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { x86 } from '../../formats/x86.js';

/*
 * Images that somebody made to take time: tables that point to themselves and to each other, with ever other flags. Work is
 * counted. A table has 512 entries; a call may read 2^18 entries again, or 2^21 to list tables at each address.
 */

const AGAIN = 2 ** 18;
/** Where tables are listed at each address. */
const LIST = 2 ** 21;
const format = x86(4);

/** A memory whose frames have entries that a function gives. The root is frame 0. */
function image(
  frames: number,
  entry: (frame: number, slot: number) => bigint,
  given: PageTableFormat = format,
): PageTableReader {
  const memory = PhysicalMemory.create({ bytes: frames * 4096 });
  for (let frame = 0; frame < frames; frame++)
    for (let slot = 0; slot < 512; slot++)
      memory.write64(BigInt(frame * 4096 + slot * 8), entry(frame, slot));
  return new PageTableReader({ format: given, memory, root: 0n });
}

/** A root whose first entries all point to the root. */
const loop = (count: number) => image(1, (_, slot) => (slot < count ? 0x63n : 0n));

/** All frames are full of entries that point to all frames. With `flags`, no two entries of a frame are alike. */
const tangle = (frames: number, flags: boolean) =>
  image(
    frames,
    (frame, slot) =>
      (BigInt((frame + slot) % frames) << 12n) | 0x63n | (flags ? BigInt(slot % 128) << 52n : 0n),
  );

const count = (items: Iterable<unknown>): number => {
  let n = 0;
  for (const _ of items) n++;
  return n;
};

describe('a root whose entries all point to it', () => {
  test.each([64, 512])(
    'with %i entries is read once for each level by all but leaves and diff',
    (entries) => {
      const table = loop(entries);
      const work = (call: () => unknown): number => {
        table.resetCounters();
        call();
        return table.counters.entriesRead;
      };
      expect(work(() => dumpTables(table, { lines: 10 }))).toBe(4 * 512);
      expect(work(() => dumpTables(table, { tables: true, lines: 10 }))).toBe(4 * 512);
      expect(work(() => dumpTables(table, { tables: true }))).toBe(4 * 512);
      expect(work(() => count(listLeaves(table)))).toBe(4 * 512);
      expect(work(() => leafSizes(table.format, listLeaves(table)))).toBe(4 * 512);
      expect(work(() => count(diffTables(table, loop(entries))))).toBe(4 * 512);
      expect(work(() => checkTables(table, { mapped: true }))).toBe(512 + 512);
    },
  );

  test('is listed by leaves until 2^21 entries are read again, and named after that', () => {
    const table = loop(512);
    let [named, gaps, next, listedAt] = [0, 0, 0xffff_8000_0000_0000n, 1n as bigint | null];
    // Each address is in one item, in order: the upper half comes after the lower one.
    for (const item of table.leaves()) {
      if (item.va !== next && item.va !== 0n && item.va !== 0xffff_8000_0000_0000n) gaps++;
      next = item.va + item.bytes;
      if (item.kind === 'leaves') continue;
      named++;
      ({ listedAt } = item);
    }
    expect(table.counters.entriesRead).toBe(4 * 512 + LIST);
    expect([gaps, next, listedAt]).toEqual([0, 1n << 64n, 0n]);
    // What is left of the tables on the way down is named: of the root, of one PUD, of one PMD.
    expect(named).toBeGreaterThan(0);
    expect(named).toBeLessThan(3 * 512);
  });

  test('has no complete list', () => {
    const table = loop(512);
    const leaves = table.leaves(undefined, undefined, { complete: true });
    expect(thrown(() => count(leaves))).toMatch(
      /^ELOOP at 0x[\da-f]{16}: the table at physical 0x0 is met again, too often to list it; pass complete: false/,
    );
    expect(table.counters.entriesRead).toBeLessThan(4 * 512 + LIST);
  });

  test('is counted by size, with what is named', () => {
    const sizes = leafSizes(format, loop(2).leaves());
    expect(sizes).toEqual([{ bytes: 4096, count: 16 }]);
    expect(leafSizes(format, listLeaves(loop(2)))).toEqual([
      { bytes: 4096, count: 2 },
      { kind: 'again', bytes: 2 ** 21, count: 1 },
      { kind: 'again', bytes: 2 ** 30, count: 1 },
      { kind: 'again', bytes: 2 ** 39, count: 1 },
    ]);
  });

  test('is compared with other tables until 2^18 entries are read again, and named after that', () => {
    const [table, empty] = [loop(512), image(1, () => 0n)];
    const kinds = (here: ReadableTable, there: ReadableTable): Set<string> => {
      const all = new Set<string>();
      for (const { kind } of diffTables(here, there)) all.add(kind);
      return all;
    };
    expect(kinds(table, empty)).toEqual(new Set(['only-here', 'again-here']));
    // To enter a table, its list begins at the root: three entries on the way.
    expect(table.counters.entriesRead).toBeLessThan(4 * 512 + AGAIN + (3 * AGAIN) / 512);
    const other = image(1, (_, slot) => (slot < 511 ? 0x63n : 0x67n));
    expect(kinds(table, other).has('again-both')).toBe(true);
  });
});

describe('tables that all point to all', () => {
  const FRAMES = 32;

  test('are read once for each level', () => {
    const table = tangle(FRAMES, false);
    expect(dumpTables(table, { lines: 3 }).split('\n')).toHaveLength(1 + 3 + 1);
    expect(table.counters).toMatchObject({ tablesRead: 1 + 3 * FRAMES, entriesRead: (1 + 3 * FRAMES) * 512 });
  });

  test('are read 2^18 entries more where their flags differ', () => {
    const most = (1 + 3 * FRAMES) * 512 + AGAIN;
    const table = tangle(FRAMES, true);
    for (const call of [
      () => dumpTables(table, { lines: 3 }),
      () => count(listLeaves(table)),
      () => leafSizes(format, listLeaves(table)),
    ]) {
      table.resetCounters();
      call();
      expect(table.counters.entriesRead).toBeGreaterThan((1 + FRAMES) * 512);
      expect(table.counters.entriesRead).toBeLessThanOrEqual(most);
    }
    table.resetCounters();
    dumpTables(table, { lines: 20, tables: true });
    expect(table.counters.entriesRead).toBeLessThanOrEqual(most);
  });

  test('are checked once each, and their findings are counted without a step for each', () => {
    // Every leaf of the last level is a block of 2 MiB: it maps every table.
    const table = image(
      FRAMES,
      (frame, slot) =>
        (frame === 0 ? BigInt(1 + (slot % (FRAMES - 1))) << 12n : 0n) | (frame === 0 ? 0x63n : 0xe3n),
    );
    const { tables, total, findings } = checkTables(table, { mapped: true, most: 5 });
    expect(tables).toBe(FRAMES);
    expect(findings).toHaveLength(5);
    // 31 tables with 512 leaves of 1 GiB each map 32 frames of tables; 481 entries meet a table again.
    expect(total).toBe(31 * 512 * FRAMES + (512 - 31));
    expect(table.counters.entriesRead).toBe(2 * FRAMES * 512);
  });
});
