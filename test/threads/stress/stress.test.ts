import { describe, expect, test } from 'vitest';
import { stress } from '../../../packages/core/test/threads/stress/driver.js';
import { startInNode } from '../../../packages/core/test/threads/stress/in-node.js';
import { spaceArena } from './arena.js';
import { configurations } from './station.js';

/** `npm run threads` sets these. */
const seed = Number(process.env.VMAREA_SEED ?? Date.now() % 2 ** 31);
const operations = Number(process.env.VMAREA_OPERATIONS ?? 200_000);
const kills = Number(process.env.VMAREA_KILLS ?? 16);
const LONG = 7_200_000;

/** Threads, a configuration, and its part of the operations and kills. */
const cases = [
  [2, 'x86-64', 0.5],
  [4, 'x86-64', 0.25],
  [2, 'arm64-16k-47-cont', 0.125],
  [4, 'riscv64-sv48-napot', 0.125],
] as const;

describe('an address space under stress', () => {
  const start = startInNode(new URL('./space-thread.ts', import.meta.url));

  function arenaOf(name: string, threads: number) {
    const found = configurations.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no configuration ${name}`);
    return spaceArena(found, threads);
  }

  test.each(cases)(
    '%i threads on %s make all their calls: every frame has one owner, and every entry is right',
    async (threads, name, part) => {
      console.log(`seed ${seed}`);
      const arena = arenaOf(name, threads);
      const each = Math.ceil((operations * part) / threads);
      const done = await stress({ start, arena, threads, operations: each, seed });
      arena.end();
      console.log(
        `${name}, ${threads} threads: ${done.operations} operations ${JSON.stringify(done.counts)}`,
      );
      expect(done.operations).toBe(threads * each);
    },
    LONG,
  );

  test.each(cases)(
    '%i threads on %s, some of which are ended in the middle of a call: a recovery makes it whole each time',
    async (threads, name, part) => {
      console.log(`seed ${seed}`);
      const arena = arenaOf(name, threads);
      const deaths = Math.ceil(kills * part);
      const done = await stress({ start, arena, threads, operations: 500, seed, kills: deaths });
      arena.end();
      console.log(`${name}, ${threads} threads: ${done.kills} kills left ${JSON.stringify(done.left)}`);
      expect(done.kills).toBe(deaths);
    },
    LONG,
  );
});
