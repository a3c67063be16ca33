import type { PageTableFormat } from '@vmarea/core';
import { diffTables, PageTableReader, PhysicalMemory } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { x86 } from '../../formats/x86.js';

const format: PageTableFormat = x86(4);
const MIB = 1n << 20n;
/** Present, writable, user, accessed and dirty. */
const OPEN = 0x67n;

/**
 * An image whose tables are frames 0 to 3. Slots of the PMD table 2, with the bits that each has, all point to the one table of
 * leaves 3, which maps one page of user mode.
 */
function image(pmd: readonly bigint[]): PageTableReader {
  const memory = PhysicalMemory.create({ bytes: 4 * 4096 });
  memory.write64(0n, 0x1000n | OPEN);
  memory.write64(0x1000n, 0x2000n | OPEN);
  for (const [slot, bits] of pmd.entries()) memory.write64(0x2000n + 8n * BigInt(slot), 0x3000n | bits);
  memory.write64(0x3000n, 0x9000n | OPEN);
  return new PageTableReader({ format, memory, root: 0n });
}

const READ_ONLY = OPEN & ~2n;
const KERNEL = OPEN & ~4n;

describe('diffTables under the option rights', () => {
  test('finds leaves whose rights only the tables above change', () => {
    const [here, there] = [image([OPEN]), image([READ_ONLY])];
    expect([...diffTables(here, there)]).toEqual([]);
    const [found, ...others] = [...diffTables(here, there, { rights: true })];
    expect(others).toEqual([]);
    expect(found).toMatchObject({
      ...{ kind: 'protection', va: 0n, bytes: 4096n },
      here: { pa: 0x9000n, rights: { write: true, user: true }, protection: { write: true } },
      there: { pa: 0x9000n, rights: { write: false, user: true }, protection: { write: true } },
    });
    const owners = [...diffTables(here, image([KERNEL]), { rights: true })].map(
      (one) => one.there?.rights?.user,
    );
    expect(owners).toEqual([false]);
    expect([...diffTables(there, there, { rights: true })]).toEqual([]);
  });

  test('finds them below a table that both sides meet again, too', () => {
    const here = image([OPEN, OPEN, OPEN, READ_ONLY]);
    const there = image([OPEN, OPEN, READ_ONLY, READ_ONLY]);
    expect([...diffTables(here, there)]).toEqual([]);
    const found = [...diffTables(here, there, { rights: true })];
    expect(found.map(({ kind, va }) => [kind, va])).toEqual([['protection', 4n * MIB]]);
  });

  test('gives no rights without it', () => {
    const [found] = [...diffTables(image([OPEN]), image([]))];
    expect(found?.here).toMatchObject({ pa: 0x9000n, rights: null });
  });
});
