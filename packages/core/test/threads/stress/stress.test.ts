import { describe, expect, test } from 'vitest';
import { stress } from './driver.js';
import { startInNode } from './in-node.js';
import { createArena } from './room.js';

/** `npm run threads` sets these. */
const seed = Number(process.env.VMAREA_SEED ?? Date.now() % 2 ** 31);
const total = Number(process.env.VMAREA_OPERATIONS ?? 60_000);
const kills = Math.ceil(Number(process.env.VMAREA_KILLS ?? 20) / 4);
const LONG = 3_600_000;

describe('the room of threads under stress', () => {
  const start = startInNode(new URL('./room-thread.ts', import.meta.url));

  test.each([2, 4])(
    '%i threads make all their operations, and everything adds up',
    async (threads) => {
      console.log(`seed ${seed}`);
      const operations = Math.ceil(total / threads);
      const done = await stress({ start, arena: createArena(), threads, operations, seed });
      console.log(`${threads} threads: ${done.operations} operations ${JSON.stringify(done.counts)}`);
      expect(done.operations).toBe(threads * operations);
    },
    LONG,
  );

  test.each([2, 4])(
    '%i threads, some of which are ended in the middle: a recovery makes it whole each time',
    async (threads) => {
      console.log(`seed ${seed}`);
      const operations = Math.ceil(total / threads);
      const done = await stress({ start, arena: createArena(), threads, operations, seed, kills });
      console.log(
        `${threads} threads: ${done.kills} kills left ${JSON.stringify(done.left)}, ${done.operations} operations`,
      );
      expect(done.kills).toBe(kills);
    },
    LONG,
  );
});
