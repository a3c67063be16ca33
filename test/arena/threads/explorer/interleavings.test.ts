import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { type Explored, explore } from '../../../../packages/core/test/threads/explorer/explore.js';
import { arenaCases } from './cases-of.js';

/**
 * All orders of two calls of an arena with so many preemptions at most: one by default, two in the long mode (`npm run threads` sets
 * `VMAREA_LONG=1`). The counts are exact. `VMAREA_COUNTS=write` writes the new ones of its mode.
 */
const list = new URL('./counts.json', import.meta.url);
const counts: Record<string, Record<string, Explored>> = JSON.parse(readFileSync(list, 'utf8'));
const isWriting = process.env.VMAREA_COUNTS === 'write';
const preemptions = process.env.VMAREA_LONG === '1' ? 2 : 1;
const LONG = 1_200_000;

const bundle = await arenaCases();

describe(`the interleavings of two calls of an arena, with preemptions: ${preemptions}`, () => {
  const known = counts[preemptions] ?? {};

  test.for(Object.keys(bundle.cases))('all go right: %s', { timeout: LONG }, async (name) => {
    const explored = await explore(bundle, name, { preemptions });
    if (isWriting) known[name] = explored;
    else if (known[name] !== undefined) expect(explored).toEqual(known[name]);
  });

  afterAll(() => {
    if (!isWriting) return;
    counts[preemptions] = known;
    writeFileSync(list, `${JSON.stringify(counts, null, 2)}\n`);
  });
});
