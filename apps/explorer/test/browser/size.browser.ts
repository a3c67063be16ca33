import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROGRAMS } from '../../src/page/try/programs.js';
import { Site } from './page.js';

let site: Site;
beforeAll(async () => {
  site = await Site.open();
});
afterAll(() => site.close());

/** The most bytes of a view that is opened first: all that its browser loads, packed. */
const MOST = 200_000;

/** Bytes of all files that are loaded until a view shows something, each packed, by a browser that has none yet. */
async function loaded(hash: string, shows: RegExp): Promise<number> {
  site.served.clear();
  const page = await site.blank();
  await page.goto(site.url + hash);
  await page.getByText(shows).first().waitFor();
  await page.context().close();
  const sum = [...site.served].reduce((all, file) => all + gzipSync(readFileSync(file)).length, 0);
  process.stdout.write(`${hash}: ${Math.round(sum / 1000)} kB, packed\n`);
  return sum;
}

describe('as the first view', () => {
  test.each([
    ['#walk', /^Drop a dump/, 60_000],
    ['#walk?table=x86-64', /^697 of 697 ranges/, MOST],
    ['#walk?table=arm64-16k', /^\d+ of \d+ ranges/, MOST],
    ['#try', /^Call \d+ of 10$/, MOST],
    ['#compare', /On 64K pages/, MOST],
  ])('%s has less than its limit', async (hash, shows, most) => {
    const bytes = await loaded(hash, shows);
    expect(bytes).toBeGreaterThan(10_000);
    expect(bytes).toBeLessThan(most);
  });

  test.each(PROGRAMS.map(({ name }) => name))('the program %s has less than 200 kB', async (name) => {
    const bytes = await loaded(`#try?program=${name}`, /^Call \d+ of \d+$/);
    // All of Try: its worker, too.
    expect(bytes).toBeGreaterThan(100_000);
    expect(bytes).toBeLessThan(MOST);
  });
});
