import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { casesOf } from './cases-of.js';
import { type Explored, explore } from './explore.js';

/**
 * All interleavings of two and three threads over the room's own code. The counts are exact: a change of the code
 * changes them, and so does an explorer that leaves out too much. `VMAREA_COUNTS=write` writes the new ones.
 *
 * Long cases run in the long mode only: `npm run threads` sets `VMAREA_LONG=1`.
 */
const list = new URL('./counts.json', import.meta.url);
const counts: Record<string, Record<string, Explored>> = JSON.parse(readFileSync(list, 'utf8'));
const isWriting = process.env.VMAREA_COUNTS === 'write';
const isLongMode = process.env.VMAREA_LONG === '1';
const LONG = 1_200_000;

describe.each(Object.keys(counts))('the interleavings of %s', (file) => {
  const bundle = casesOf(file);
  const known = counts[file] ?? {};

  test('all have counts', { timeout: LONG }, async () => {
    const names = Object.keys((await bundle).cases);
    if (isWriting) {
      const seen: Record<string, Explored> = {};
      for (const name of names) seen[name] = await explore(await bundle, name);
      counts[file] = seen;
    } else expect(names.sort()).toEqual(Object.keys(known).sort());
  });

  test.skipIf(isWriting).for(Object.keys(known))(
    'all go right: %s',
    { timeout: LONG },
    async (name, { skip }) => {
      if (!isLongMode && (await bundle).cases[name]?.isLong === true) skip('in the long mode');
      expect(await explore(await bundle, name)).toEqual(known[name]);
    },
  );
});

afterAll(() => {
  if (isWriting) writeFileSync(list, `${JSON.stringify(counts, null, 2)}\n`);
});
