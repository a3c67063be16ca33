import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Site } from './page.js';

/*
 * What a first view loads, packed as a host sends it: the page, its worker, what it shows at once. The README has the limits.
 */

let site: Site;
beforeAll(async () => {
  site = await Site.open();
});
afterEach(() => site.requireQuiet());
afterAll(() => site.close());

/** Opens a view by itself. @returns the page, and the bytes that it has loaded so far, by file. */
async function opened(view: string): Promise<{ page: Page; loaded: () => Promise<Map<string, number>> }> {
  const page = await site.blank();
  const files = new Map<string, number>();
  const waiting: Promise<void>[] = [];
  page.context().on('response', (response) => {
    const name = new URL(response.url()).pathname;
    waiting.push(response.body().then((body) => void files.set(name, gzipSync(body).length)));
  });
  await page.goto(`${site.url}#${view}`);
  return {
    page,
    async loaded() {
      await Promise.all(waiting);
      return files;
    },
  };
}

/** The sizes that the README says, by the row. */
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

/** Requires that files weigh less than the limit of a row, and about as much as the README says. */
function requireSaid(what: string, files: Map<string, number>): void {
  const said = SAID.get(what);
  expect(sum(files)).toBeLessThan(said?.limit ?? 0);
  expect(Math.abs(sum(files) / 1000 - (said?.measured ?? 0))).toBeLessThan(3);
}

const sum = (files: Map<string, number>): number => [...files.values()].reduce((all, one) => all + one, 0);

test('walk as the first view is as small as the README says, also with a bundled table opened', async () => {
  const { page, loaded } = await opened('walk');
  await page.getByText('Drop a dump').waitFor();
  expect(sum(await loaded())).toBeGreaterThan(10_000);
  requireSaid('Walk, with buttons that work', await loaded());
  await page.getByRole('button', { name: /^x86-64/ }).click();
  await page.getByText(/^\d+ of \d+ ranges/).waitFor();
  const files = await loaded();
  expect([...files.keys()].some((name) => name.includes('worker'))).toBe(true);
  requireSaid('Walk, with a bundled table opened', files);
});

test.each([
  ['try', /^Call \d+ of \d+$/, "Try, with the README's program drawn"],
  ['compare', /^The address space/, 'Compare, with the bundled areas drawn'],
])(
  '%s as the first view is as small as the README says, with its first answer',
  async (view, heading, what) => {
    const { page, loaded } = await opened(view);
    await page.getByRole('heading', { name: heading }).first().waitFor();
    const files = await loaded();
    expect([...files.keys()].some((name) => name.includes('worker'))).toBe(true);
    requireSaid(what, files);
  },
);

test('a package loads when a program names it', async () => {
  const { page, loaded } = await opened('try');
  await page.getByRole('heading', { name: /^Call \d+ of \d+$/ }).waitFor();
  const before = (await loaded()).size;
  await page.locator('#program').selectOption('arena');
  await page.getByText('createArena').first().waitFor();
  await expect.poll(async () => (await loaded()).size).toBeGreaterThan(before);
});
