import { firstAddress } from '@vmarea/conformance';
import { pathWalker, protection, toBigint } from '@vmarea/core';
import { codeOf, machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { formats } from '../../formats/index.js';
import { x86 } from '../../formats/x86.js';

const WRITE = protection({ write: true, global: true });

describe('a walker that keeps the entries it reads', () => {
  test.each(formats)('has the entries, tables and places that a walk reports: $name', (format) => {
    const { table, pageBytes } = machine(format, 64, 1n << 36n);
    const start = firstAddress(format, 'lower');
    table.map(start, [1000, 1001, 7], WRITE);
    const walker = pathWalker(table);
    for (const page of [0, 1, 2, 3, 1 << 20]) {
      const va = BigInt.asUintN(64, start + BigInt(page * pageBytes + 9));
      const { steps, leaf, pa } = table.walk(va);
      expect(walker.walk(Number(va >> 32n), Number(va & 0xffff_ffffn))).toBe(leaf !== null);
      expect(walker.leafShift).toBe(leaf?.leafShift ?? 0);
      expect(walker.pfn).toBe(pa === null ? -1 : Number(pa / BigInt(pageBytes)));
      const read = Array.from({ length: walker.depth }, (_, level) => ({
        address: BigInt(walker.entryAddress[level] as number),
        entry: toBigint({ lo: walker.entryLo[level] as number, hi: walker.entryHi[level] as number }),
        tablePfn: BigInt(walker.tablePfn[level] as number),
      }));
      expect(read).toEqual(
        steps.map((step) => ({
          ...{ address: step.address, entry: step.entry },
          tablePfn: step.table / BigInt(pageBytes),
        })),
      );
    }
  });

  test('reads nothing for an address outside the range', () => {
    const walker = pathWalker(machine(x86(4)).table);
    expect([walker.walk(0x80000000, 0), walker.depth, walker.pfn, walker.groupMask(8)]).toEqual([
      false,
      0,
      -1,
      0,
    ]);
  });

  test('changes nothing and counts nothing', () => {
    const { table } = machine(x86(4));
    table.map(0n, [1], WRITE);
    table.resetCounters();
    pathWalker(table).walk(0, 0);
    expect(table.counters).toMatchObject({ tablesRead: 0, entriesRead: 0, entriesWritten: 0 });
  });

  test('is refused for something that is no page table, and stops when the table is destroyed', () => {
    const { table } = machine(x86(4));
    const walker = pathWalker(table);
    table.destroy();
    expect(thrown(() => pathWalker({} as never))).toBe(
      'EINVAL: an object is not a page table; pass a PageTable or a PageTableReader',
    );
    expect(codeOf(() => walker.walk(0, 0))).toBe('EINVAL');
  });
});
