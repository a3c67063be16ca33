import { listLeaves, type PageTable, PhysicalMemory, protection } from '@vmarea/core';
import { machine } from '@vmarea/testkit';
import { expect, test } from 'vitest';
import { FrameAllocator, PageTable as Table } from '../../../src/index.js';
import { contextOf } from '../../../src/table/state/registry.js';
import { x86 } from '../../formats/x86.js';
import { entryAt } from '../../support/entries.js';

/* A list over shared tables goes on after this thread was between two calls: then other threads may use the frames of tables that it read. */

const WRITE = protection({ write: true });
const MiB = 1n << 20n;

/** Pages 1, 2 and 4 in one table, and page 9 in another. */
function pagesOf(shared: boolean): { table: PageTable; memory: PhysicalMemory } {
  const made = machine(x86(4));
  const memory = shared ? PhysicalMemory.create({ bytes: 64 * 4096, shared: true }) : made.memory;
  const frames = shared ? new FrameAllocator(memory) : made.frames;
  const table = shared ? new Table({ format: made.format, memory, frames }) : made.table;
  for (const [page, pfn] of [
    [1, 0x51],
    [2, 0x77],
    [4, 0x54],
  ] as const)
    table.map(BigInt(page) * 4096n, [pfn], WRITE);
  table.map(2n * MiB, [0x99], WRITE);
  return { table, memory };
}

test.each(['leaves', 'listLeaves'] as const)('%s goes back to the root after a quiescent point', (name) => {
  const { table, memory } = pagesOf(true);
  const list = name === 'leaves' ? table.leaves() : listLeaves(table);
  const pte = entryAt(table, 4096n);
  const pmd = entryAt(table, 4096n, 2);
  expect(list.next().value).toMatchObject({ va: 4096n, pfn: 0x51 });
  // Another thread exchanges the table, and then uses its frame for one of its own.
  const fresh = 63n << 12n;
  for (let at = 0n; at < 4096n; at += 8n) memory.write64(fresh + at, memory.read64(pte.table + at));
  memory.write64(fresh + 8n * 6n, (0x66n << 12n) | 0x63n);
  memory.write64(pmd.address, fresh | (pmd.entry & 0xfffn));
  for (let at = 0n; at < 4096n; at += 8n) memory.write64(pte.table + at, 0xbad063n);
  contextOf(table).generation++;
  // The second one was read before.
  expect([...list].map((run) => [run.va, 'pfn' in run ? run.pfn : -1])).toEqual([
    [0x2000n, 0x77],
    [0x4000n, 0x54],
    [0x6000n, 0x66],
    [2n * MiB, 0x99],
  ]);
});

test('a list over memory of one thread reads on where it was', () => {
  const { table } = pagesOf(false);
  const list = table.leaves();
  expect(list.next().value).toMatchObject({ va: 4096n });
  contextOf(table).generation++;
  const before = table.counters.tablesRead;
  expect([...list].map(({ va }) => va)).toEqual([0x2000n, 0x4000n, 2n * MiB]);
  expect(table.counters.tablesRead).toBe(before + 1);
});
