import type { BrowserContextOptions } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { axeFindings, fitsWidth, Site, shot } from './page.js';

let site: Site;
// Most hosts have a site below a path of theirs.
beforeAll(async () => {
  site = await Site.open(new URL('../../../../_site/', import.meta.url), '/some/path/');
});
afterEach(() => site.requireQuiet());
afterAll(() => site.close());

const LOOKS: Readonly<Record<string, BrowserContextOptions>> = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  narrow: { colorScheme: 'light', viewport: { width: 400, height: 800 } },
};

describe.each(['index.html', 'guides/first-ten-minutes.html', 'guides/why.html'])('%s', (url) => {
  test.each(Object.entries(LOOKS))('is sound in its look: %s', async (look, options) => {
    const page = await site.page(url, options);
    await page.locator('#tsd-nav-container a').first().waitFor({ state: 'attached' });
    expect(await axeFindings(page)).toEqual([]);
    expect(await fitsWidth(page)).toBe(true);
    await shot(page, `site-${url.replace(/\W/g, '-')}-${look}`);
    await page.context().close();
  });
});

describe('the site', () => {
  test('leads from its first page to a guide, to the reference and to the explorer', async () => {
    const page = await site.page('');
    await page.getByRole('main').getByRole('link', { name: 'Emulator guide' }).click();
    await page.getByRole('heading', { level: 1, name: 'Emulator guide' }).waitFor();
    await page.getByRole('main').getByRole('link', { name: '@vmarea/mmu', exact: true }).first().click();
    await page.getByRole('heading', { level: 1, name: 'Package @vmarea/mmu' }).waitFor();
    await page.getByRole('main').getByRole('link', { name: 'TlbModel', exact: true }).first().click();
    await page.getByRole('heading', { level: 1, name: 'Class TlbModel' }).waitFor();
    expect(await fitsWidth(page)).toBe(true);
    await page.locator('#tsd-toolbar-links').getByRole('link', { name: 'Explorer' }).click();
    await page.getByRole('button', { name: /^x86-64/ }).waitFor();
    await page.getByRole('link', { name: 'Guides' }).click();
    await page.getByRole('main').getByRole('link', { name: 'Emulator guide' }).waitFor();
    await page.context().close();
  });

  test('finds an export and the words of a guide', async () => {
    const page = await site.page('project/changelog.html');
    await page.keyboard.press('/');
    const results = page.locator('#tsd-search-results');
    await page.locator('#tsd-search-input').fill('vmapPagesRange');
    await results.getByText('vmapPagesRange').first().waitFor();
    await page.locator('#tsd-search-input').fill('debug information');
    await results.getByText('Why vmarea').first().waitFor();
    await page.context().close();
  });
});
