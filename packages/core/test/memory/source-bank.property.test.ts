import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { protection } from '../../src/format/protection.js';
import { FrameAllocator } from '../../src/memory/frames/frame-allocator.js';
import { PhysicalMemory } from '../../src/memory/physical-memory.js';
import { sourceBank } from '../../src/memory/source-bank.js';
import { checkTables } from '../../src/table/check/check-tables.js';
import { PageTable } from '../../src/table/page-table.js';
import { PageTableReader } from '../../src/table/page-table-reader.js';
import { diffTables } from '../../src/table/show/diff.js';
import { dumpTables } from '../../src/table/show/dump.js';
import { listLeaves } from '../../src/table/walk/list-leaves.js';
import { pathWalker } from '../../src/table/walk/path-walk.js';
import { translateMany } from '../../src/table/walk/translate-many.js';
import { x86 } from '../formats/x86.js';

const FRAMES = 256;

/** A memory with tables, and the same bytes behind a source whose bank keeps 4 frames. */
function both(pages: readonly number[]): { table: PageTable; fetched: PageTableReader } {
  const memory = PhysicalMemory.create({ bytes: FRAMES * 4096 });
  const frames = new FrameAllocator(memory, { first: 0, frames: FRAMES });
  const table = new PageTable({ format: x86(4), memory, frames });
  for (const page of new Set(pages))
    table.map(BigInt(page) << 12n, [page & 0xffff], protection({ write: true }));
  const bytes = new Uint8Array(memory.banks[0]?.words.buffer as ArrayBuffer);
  const bank = sourceBank(
    {
      ...{ start: 0, end: bytes.length, bytes: bytes.length },
      adjacent: (address) => bytes.length - address,
      read: (address, into) => into.set(bytes.subarray(address, address + into.length)),
    },
    { frames: 4 },
  );
  const fetched = new PageTableReader({
    format: x86(4),
    memory: PhysicalMemory.of([bank]),
    root: table.root,
  });
  return { table, fetched };
}

describe('tables over a bank that keeps 4 frames', () => {
  // A page for each of the few slots at each level, so that walks need more tables than are kept.
  const page = fc
    .tuple(fc.nat(2), fc.nat(3), fc.nat(5), fc.nat(511))
    .map(([a, b, c, d]) => ((a * 512 + b) * 512 + c) * 512 + d);

  test('read as the same tables in a buffer do', () => {
    fc.assert(
      fc.property(fc.array(page, { minLength: 1, maxLength: 40 }), (pages) => {
        const { table, fetched } = both(pages);
        expect([...listLeaves(fetched)]).toEqual([...listLeaves(table)]);
        expect(dumpTables(fetched)).toBe(dumpTables(table));
        expect([...diffTables(fetched, table)]).toEqual([]);
        expect(checkTables(fetched).findings).toEqual([]);
        const addresses = BigUint64Array.from(pages, (one) => BigInt(one) << 12n);
        const found = new Float64Array(pages.length);
        translateMany(fetched, addresses, found);
        const walker = pathWalker(fetched);
        pages.forEach((one, i) => {
          expect(found[i]).toBe(one & 0xffff);
          expect(fetched.translate(addresses[i] as bigint)).toBe(BigInt(one & 0xffff) << 12n);
          expect(fetched.walk(addresses[i] as bigint)).toEqual(table.walk(addresses[i] as bigint));
          expect(walker.walk(Math.floor(one / 2 ** 20), (one << 12) | 0)).toBe(true);
          expect(walker.pfn).toBe(one & 0xffff);
        });
      }),
    );
  });

  test('are listed side by side, a leaf of each in turn', () => {
    fc.assert(
      fc.property(fc.array(page, { minLength: 1, maxLength: 30 }), (pages) => {
        const { table, fetched } = both(pages);
        const expected = [...listLeaves(table)];
        const lists = [1, 2, 3].map(() => listLeaves(fetched));
        for (const leaves of expected) for (const list of lists) expect(list.next().value).toEqual(leaves);
      }),
    );
  });
});
