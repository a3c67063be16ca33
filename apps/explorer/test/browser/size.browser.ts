import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PROGRAMS } from '../../src/page/try/programs.js';
import { Site } from './page.js';

/*
 * What a first view loads, packed as a host sends it: the page, its worker, what it shows at once. The README has the limits.
 */

let site: Site;
beforeAll(async () => {
  site = await Site.open();
});
afterAll(() => site.close());

/** The sizes that the README says, by the row: bytes of the limit, and thousands of bytes that were measured. */
const SAID = new Map(
  [
    ...readFileSync(new URL('../../README.md', import.meta.url), 'utf8').matchAll(
      /^\| ((?:Walk|Try|Compare), [^|]*?) *\| (\d+) kB *\| (\d+) kB/gm,
    ),
  ].map(([, what = '', limit, measured]) => [
    what,
    { limit: 1000 * Number(limit), measured: Number(measured) },
  ]),
);

/** Bytes of all files that are loaded until a view shows something, each packed, by a browser that has none yet. */
async function loaded(hash: string, shows: RegExp): Promise<number> {
  site.served.clear();
  const page = await site.blank();
  await page.goto(site.url + hash);
  await page.getByText(shows).first().waitFor();
  await page.context().close();
  return [...site.served].reduce((all, file) => all + gzipSync(readFileSync(file)).length, 0);
}

test.each([
  ['Walk, with buttons that work', '#walk', /^Drop a dump/],
  ['Walk, with a bundled table opened', '#walk?table=x86-64', /^697 of 697 ranges/],
  ["Try, with the README's program drawn", '#try', /^Call \d+ of 10$/],
  ['Compare, with the bundled areas drawn', '#compare', /On 64K pages/],
])('%s: as small as the README says', async (what, hash, shows) => {
  const said = SAID.get(what);
  const bytes = await loaded(hash, shows);
  expect(bytes).toBeLessThan(said?.limit ?? 0);
  expect(Math.abs(bytes / 1000 - (said?.measured ?? 0))).toBeLessThan(3);
});

test.each(PROGRAMS.map(({ name }) => name))('the program %s has less than 200 kB', async (name) => {
  const bytes = await loaded(`#try?program=${name}`, /^Call \d+ of \d+$/);
  // All of Try: its worker, too.
  expect(bytes).toBeGreaterThan(100_000);
  expect(bytes).toBeLessThan(200_000);
});
