import { writeFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Site, shot } from '../browser/page.js';

/** The most bytes of a picture: a page that shows all of them stays small. */
const MOST = 60_000;
const folder = new URL('../../../../docs/pictures/', import.meta.url);

let site: Site;
beforeAll(async () => {
  site = await Site.open();
});
afterEach(() => site.requireQuiet());
afterAll(() => site.close());

/** Pictures of the documents: name, link, scheme, width, least height, what is there when the page is ready, and what the caption promises. */
const PICTURES = [
  [
    'walk',
    '#walk?table=arm64-4k',
    'light',
    1200,
    800,
    /^\d+ of \d+ ranges/,
    '.layout > .rights, .layout > .access',
  ],
  [
    'walk-fault',
    '#walk?table=x86-64&root=0x533c000&va=0x400000&level=3&access=write-user',
    'dark',
    1200,
    800,
    /Fault #PF 0x7/,
    '.layout > .access',
  ],
  ['walk-narrow', '#walk?table=arm64-16k', 'dark', 400, 860, /^\d+ of \d+ ranges/, '.layout > .address'],
  ['try', '#try?program=lazy-purge&step=6', 'light', 1200, 800, /^Call 6 of/, '.steps'],
  ['compare', '#compare', 'light', 1200, 800, /^On 16K pages/, '[aria-labelledby=space-title]'],
] as const;

test.each(PICTURES)('%s', async (name, hash, colorScheme, width, height, ready, promised) => {
  const page = await site.page(hash, { colorScheme, viewport: { width, height }, reducedMotion: 'reduce' });
  await page.getByText(ready).first().waitFor();
  // What is shown beside the address comes a moment later.
  await page.waitForTimeout(500);
  // The picture is as high as what is promised of it.
  const bottoms = await page
    .locator(promised)
    .evaluateAll((all) => all.map((one) => Math.ceil(one.getBoundingClientRect().bottom)));
  expect(Math.min(...bottoms)).toBeGreaterThan(0);
  await page.setViewportSize({ width, height: Math.max(height, ...bottoms.map((bottom) => bottom + 12)) });
  for (const one of await page.locator(promised).all()) {
    const box = await one.boundingBox();
    expect(box?.y).toBeGreaterThanOrEqual(0);
    expect((box?.y ?? 0) + (box?.height ?? 0)).toBeLessThanOrEqual(page.viewportSize()?.height ?? 0);
  }
  await page.waitForTimeout(200);
  const bytes = await webp(page);
  writeFileSync(new URL(`${name}.webp`, folder), bytes);
  await shot(page, name);
  process.stdout.write(`docs/pictures/${name}.webp: ${bytes.length} bytes\n`);
  expect(bytes.length).toBeLessThan(MOST);
});

/** What is seen, as WebP: playwright itself writes PNG, which is four times as large. */
async function webp(page: Page): Promise<Buffer> {
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: 20 });
  return Buffer.from(data, 'base64');
}
