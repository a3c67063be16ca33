import { applyToExisting, applyToRange, protection, splitLeaves } from '@vmarea/core';
import { machine } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../../formats/arm64.js';
import { entryAt, sizes } from '../../support/entries.js';

/* Runs of blocks, which get a break together: 16 blocks of 2 MiB with arm64's contiguous bit. */

const WRITE = protection({ write: true, global: true });
const MiB = 1024 * 1024;
const format = arm64({ granule: 4, vaBits: 39, half: 'ttbr0' });
const CONT = 1n << 52n;

/** Two runs of 16 blocks. */
function marked() {
  const made = machine(format);
  const { table, memory } = made;
  table.mapRange(0n, 0x4000_0000n, 64 * MiB, WRITE, { maxLeafShift: 21 });
  for (let block = 0n; block < 32n; block++) {
    const { address, entry } = entryAt(table, block * BigInt(2 * MiB));
    memory.write64(address, entry | CONT);
  }
  const isMarked = (va: number) => table.walk(BigInt(va)).leaf?.runShift === 25;
  return { ...made, isMarked };
}

describe('a run of blocks', () => {
  test.each([applyToRange, applyToExisting])('is split by $name, which visits each page once', (call) => {
    const { table, frames, flushes, isMarked } = marked();
    const seen: [number, bigint][] = [];
    const start = 3 * MiB;
    call(table, BigInt(start), 4 * MiB, (slot) => void seen.push([slot.page, slot.entry & 0xfffff000n]), {
      blocks: 'split',
    });
    expect(seen).toEqual(
      Array.from({ length: 1024 }, (_, page) => [page, BigInt(0x4000_0000 + start + page * 4096)]),
    );
    expect(flushes).toHaveLength(1);
    expect([isMarked(0), isMarked(30 * MiB), isMarked(32 * MiB)]).toEqual([false, false, true]);
    expect(table.translate(BigInt(start + 4 * MiB))).toBe(BigInt(0x4000_0000 + start + 4 * MiB));
    table.destroy();
    expect(frames.stats().allocated).toBe(0);
  });

  test.each([
    [0, 2 * MiB],
    [0, 4096],
    [4096, 2 * MiB],
    [31 * MiB, 4096],
  ])(
    'loses its mark and stays blocks under a split to 2 MiB, from byte %i on for %i bytes',
    (start, bytes) => {
      const { table, isMarked } = marked();
      splitLeaves(table, BigInt(start), bytes, { leafShift: 21 });
      expect(sizes(table).every(([, shift]) => shift === 21)).toBe(true);
      expect([isMarked(0), isMarked(30 * MiB), isMarked(32 * MiB)]).toEqual([false, false, true]);
    },
  );

  test('is cut once when a call meets it in two parts, around a table in its middle', () => {
    const { table, memory } = marked();
    // Block 4 becomes a table, by somebody else: the marks around it are no run any more.
    const pmd = entryAt(table, BigInt(8 * MiB));
    splitLeaves(table, BigInt(40 * MiB), 4096);
    const borrowed = table.walk(BigInt(40 * MiB)).steps[1]?.entry as bigint;
    memory.write64(pmd.address, borrowed);
    table.protect(BigInt(5 * MiB), 10 * MiB, { write: false });
    const isWritable = (va: number) => table.walk(BigInt(va)).leaf?.protection.write;
    expect([4, 5, 7, 8, 9, 10, 14, 15, 16].map((at) => isWritable(at * MiB))).toEqual([
      true,
      false,
      false,
      false,
      false,
      false,
      false,
      true,
      true,
    ]);
    expect(table.translate(BigInt(5 * MiB))).toBe(BigInt(0x4000_0000 + 5 * MiB));
    expect(table.translate(BigInt(14 * MiB))).toBe(BigInt(0x4000_0000 + 14 * MiB));
    table.unmap(BigInt(5 * MiB), 10 * MiB);
    expect([5, 7, 9, 12, 14].map((at) => table.translate(BigInt(at * MiB)))).toEqual([
      null,
      null,
      null,
      null,
      null,
    ]);
    expect(table.translate(BigInt(15 * MiB))).toBe(BigInt(0x4000_0000 + 15 * MiB));
  });
});
