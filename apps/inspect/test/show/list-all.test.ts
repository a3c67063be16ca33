import { PageTableReader, PhysicalMemory } from '@vmarea/core';
import { x8664 } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';
import { listAll } from '../../src/index.js';

const PAGE = 4096n;
const TABLE = 0x63n;

/** A root, a PUD, PMDs and one PTE table: entries are written by hand. */
function tables(): { memory: PhysicalMemory; table: PageTableReader } {
  const memory = PhysicalMemory.create({ bytes: 2 ** 20 });
  return { memory, table: new PageTableReader({ format: x8664(), memory, root: 0n }) };
}

describe('listAll', () => {
  test('lists a table at each of the 1200 addresses at which it stands', () => {
    const { memory, table } = tables();
    const pte = 0x8000n;
    memory.write64(0n, 0x1000n | TABLE);
    for (let pmd = 0n; pmd < 3n; pmd++) {
      memory.write64(0x1000n + 8n * pmd, (0x2000n + pmd * PAGE) | TABLE);
      for (let slot = 0n; slot < 400n; slot++) memory.write64(0x2000n + pmd * PAGE + 8n * slot, pte | TABLE);
    }
    memory.write64(pte, 0x10000n | TABLE);
    memory.write64(pte + 8n * 511n, 0x30000n | TABLE);
    const expected = [0n, 1n, 2n].flatMap((pmd) =>
      Array.from({ length: 400 }, (_, slot) => (pmd << 30n) + (BigInt(slot) << 21n)).flatMap((va) => [
        `${va} ${0x10000n}`,
        `${va + 511n * PAGE} ${0x30000n}`,
      ]),
    );
    expect(Array.from(listAll(table), ({ va, pa }) => `${va} ${pa}`)).toEqual(expected);
    const range = { va: (1n << 30n) + (2n << 21n), bytes: 1n << 21n };
    expect(Array.from(listAll(table, range), ({ va }) => va)).toEqual([range.va, range.va + 511n * PAGE]);
  });

  test('ends where tables point to themselves, and names what is left', () => {
    const { memory, table } = tables();
    for (let slot = 0n; slot < 8n; slot++) memory.write64(8n * slot, TABLE);
    memory.write64(8n * 8n, 0x5000n | TABLE);
    const items = [...listAll(table, { most: 3 })];
    // Every address of the loop is listed once, or named.
    let end = 0n;
    for (const { va, bytes } of items) {
      expect(va >= end).toBe(true);
      end = va + bytes;
    }
    expect(items.length).toBeGreaterThan(8);
  });
});
