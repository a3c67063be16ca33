import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { axeFindings, fitsWidth, Site, shot } from './page.js';

let site: Site;
beforeAll(async () => {
  site = await Site.open();
});
afterEach(() => site.requireQuiet());
afterAll(() => site.close());

const TEXT = `\
0xffffc90000000000-0xffffc90000005000   20480 dup_task_struct+0x57/0x460 pages=4 vmalloc
0xffffc90000005000-0xffffc90000007000    8192 hpet_enable+0x36/0x4a0 phys=0x00000000fed00000 ioremap
`;

describe('Compare', () => {
  test('compares the bundled areas at first sight, and sorts', async () => {
    const page = await site.page('#compare');
    await page.getByRole('heading', { name: 'Formats' }).waitFor();
    await page.getByText('On 64K pages', { exact: false }).waitFor();
    const first = page.locator('.rows tbody tr').first();
    await page.getByRole('button', { name: /^walk/ }).click();
    const least = Number(await first.locator('td').nth(5).textContent());
    await page.getByRole('button', { name: /^walk/ }).click();
    expect(Number(await first.locator('td').nth(5).textContent())).toBeGreaterThan(least);
    expect(await page.evaluate(() => location.hash)).toContain('sort=walk&down=yes');
    expect(await page.locator('.rows tbody tr').count()).toBe(14);
    await page.getByRole('checkbox', { name: 'all formats' }).click();
    await expect.poll(() => page.locator('.rows tbody tr').count(), { timeout: 90_000 }).toBe(40);
  });

  test('shows the address space and the callers of a format that is chosen', async () => {
    const page = await site.page('#compare?format=riscv64-sv39&leaves=base');
    await page.getByRole('heading', { name: /The address space.*riscv64-sv39, base leaves/ }).waitFor();
    const picture = page.getByRole('slider', { name: 'Areas in address order' });
    const before = await picture.getAttribute('aria-valuetext');
    await picture.focus();
    await page.keyboard.press('ArrowRight');
    expect(await picture.getAttribute('aria-valuetext')).not.toBe(before);
    await picture.click({ position: { x: 200, y: 40 } });
    await page.getByRole('button', { name: 'to scale' }).click();
    await page.getByRole('button', { name: 'by caller' }).click();
    await page.getByRole('button', { name: 'arm64-64k-48-cont', exact: true }).first().click();
    await page.getByRole('heading', { name: /The address space.*arm64-64k-48-cont/ }).waitFor();
  });

  test('takes a text that is pasted, and says in which line it is wrong', async () => {
    const page = await site.page('#compare');
    await page.getByRole('heading', { name: 'Formats' }).waitFor();
    await page.getByText('Paste one').click();
    const box = page.getByRole('textbox', { name: 'Text of /proc/vmallocinfo' });
    await box.fill(`${TEXT}this is no line\n`);
    await page.getByRole('button', { name: 'Compare', exact: true }).click();
    const alert = page.getByRole('alert');
    await alert.waitFor();
    expect(await alert.textContent()).toMatch(/EINVAL.*3/);
    // What was shown stays.
    await page.getByRole('heading', { name: 'Formats' }).waitFor();
    await box.fill(TEXT);
    await page.getByRole('button', { name: 'Compare', exact: true }).click();
    await page.getByText('the pasted text · 2 areas').waitFor();
  });

  test.each([
    ['light', 1400],
    ['dark', 400],
  ] as const)('is legible and accessible: %s, %i pixels', async (colorScheme, width) => {
    const page = await site.page('#compare', { colorScheme, viewport: { width, height: 900 } });
    await page.getByRole('heading', { name: 'Callers that cost most' }).waitFor();
    expect(await axeFindings(page)).toEqual([]);
    expect(await fitsWidth(page)).toBe(true);
    await shot(page, `compare-${colorScheme}-${width}`);
  });
});
