import { prepareTables, protection } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { firstSide, type Side, tablesOf, wrongCounts } from './pair.js';
import type { Did, Told } from './table-worker.js';
import { programOf, runThread, startThread } from './worker.js';

const program = programOf(new URL('./table-worker.ts', import.meta.url));
const BASE = 0xffffc90000000000n;
const PAGE = 4096n;
const RW = protection({ write: true });

/** Pages of a thread's range that are mapped. */
function mapped({ table }: Side, thread: number): number {
  const first = 0x200000 * thread;
  let pages = 0;
  for (let page = 0; page < 48; page++)
    if (table.translateWords(0xffffc900, first + page * 4096) !== -1) pages++;
  return pages;
}

describe.each([
  ['WebAssembly', true],
  ['JavaScript', false],
])('threads on one page table, with loops in %s', (_name, hasWasm) => {
  const run = async (mode: Told['mode'], rounds: number): Promise<{ side: Side; did: Did[] }> => {
    const { side, invite } = firstSide(hasWasm);
    const threads = 2;
    const told = Array.from(
      { length: threads },
      (_, thread): Told => ({ given: invite(), mode, thread, threads, rounds }),
    );
    // This thread waits: it is at a quiescent point all the time.
    const timer = setInterval(() => side.group.quiesce(), 5);
    try {
      const did = await Promise.all(told.map((one) => runThread<Did>(program, one)));
      return { side, did };
    } finally {
      clearInterval(timer);
    }
  };

  test('map, protect and unmap neighbouring pages while one of them reclaims', async () => {
    const { side, did } = await run('neighbours', 1500);
    expect(did.map(({ made }) => made)).toEqual([1500, 1500]);
    expect(wrongCounts(side)).toEqual([]);
    side.table.reclaim();
    side.group.quiesce();
    expect([...side.table.leaves()]).toEqual([]);
    expect(tablesOf(side)).toBe(1);
  });

  test('want the same pages: a call has all of them or none', async () => {
    const { side, did } = await run('same', 600);
    expect(did.map(({ made }) => made)).toEqual([600, 600]);
    expect(wrongCounts(side)).toEqual([]);
    expect([...side.table.leaves()]).toEqual([]);
  });

  test('killed in the middle of calls leave whole calls behind a recovery', { timeout: 60_000 }, async () => {
    for (let kill = 0; kill < 12; kill++) {
      const { side, invite } = firstSide(hasWasm);
      const { group, table, threads } = side;
      prepareTables(table, BASE, 4 << 21);
      table.map(BASE, [7, 8], RW);
      const given = invite();
      const one = startThread(program, { given, mode: 'loop', thread: 1, threads: 2, rounds: 0 });
      await new Promise((resolve) => one.worker.once('message', resolve));
      await new Promise((resolve) => setTimeout(resolve, 3 + 2 * kill));
      await one.kill();
      group.registry.declareDead(given.invitation);
      const slots = group.dead();
      const did = group.sections.recovering(() => threads.recover(slots));
      for (const slot of slots) group.registry.free(slot);
      expect(did.undone.every(({ isComplete }) => isComplete)).toBe(true);
      expect([0, 48]).toContain(mapped(side, 1));
      expect(table.translateWords(0xffffc900, 0)).toBe(7);
      expect(wrongCounts(side)).toEqual([]);
      table.unmap(BASE + (1n << 21n), 48n * PAGE);
      group.quiesce();
      expect(wrongCounts(side)).toEqual([]);
    }
  });
});
