import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
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
    await page.getByRole('heading', { name: 'Formats', exact: true }).waitFor();
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
    const clicked = await picture.getAttribute('aria-valuetext');
    await picture.click({ position: { x: 600, y: 40 } });
    expect(await picture.getAttribute('aria-valuetext')).not.toBe(clicked);
    expect(Number(await picture.getAttribute('aria-valuenow'))).toBeGreaterThan(1);
    // 163 areas of 5 kinds.
    expect(await page.getByRole('list', { name: 'Colours' }).getByRole('listitem').allTextContents()).toEqual(
      [...['vmalloc', 'vmap', 'ioremap', 'sparse', 'per-cpu']],
    );
    const caller = page.getByRole('region', { name: 'Callers' }).locator('tbody tr').first().locator('td');
    expect(await caller.count()).toBe(6);
    expect(Number(await caller.nth(1).textContent())).toBeGreaterThan(0);
    await page.getByRole('button', { name: 'to scale' }).click();
    await page.getByRole('button', { name: 'by caller' }).click();
    await page.getByRole('button', { name: 'arm64-64k-48-cont', exact: true }).first().click();
    await page.getByRole('heading', { name: /The address space.*arm64-64k-48-cont/ }).waitFor();
  });

  test('takes a text that is pasted, and says in which line it is wrong', async () => {
    const page = await site.page('#compare');
    await page.getByRole('heading', { name: 'Formats', exact: true }).waitFor();
    await page.getByText('Paste one').click();
    const box = page.getByRole('textbox', { name: 'Text of /proc/vmallocinfo' });
    await box.fill(`${TEXT}this is no line\n`);
    await page.getByRole('button', { name: 'Compare', exact: true }).click();
    const alert = page.getByRole('alert');
    await alert.waitFor();
    expect(await alert.textContent()).toMatch(/EINVAL.*3/);
    // What was shown stays.
    await page.getByRole('heading', { name: 'Formats', exact: true }).waitFor();
    await box.fill(TEXT);
    await page.getByRole('button', { name: 'Compare', exact: true }).click();
    await page.getByText('the pasted text · 2 areas').waitFor();
  });

  test('refuses what is no text of areas, and keeps what was shown', async () => {
    const page = await site.page('#compare');
    await page.getByRole('heading', { name: 'Formats', exact: true }).waitFor();
    const alert = page.getByRole('alert');
    const open = (name: string, buffer: Buffer) =>
      page.getByLabel('Open a /proc/vmallocinfo').setInputFiles({ name, buffer, mimeType: 'text/plain' });
    await open('empty.txt', Buffer.from('\n \n'));
    await expect
      .poll(() => alert.textContent())
      .toBe('empty.txt is empty: expected the text of a /proc/vmallocinfo.');
    await open('page.html', Buffer.from('<script>alert(1)</script>'));
    await expect
      .poll(() => alert.textContent())
      .toMatch(/^EINVAL: page\.html:1:1: expected the first address/);
    // A sparse file of 65 MiB would be read whole.
    const path = join(mkdtempSync(join(tmpdir(), 'vmarea-compare-')), 'dump');
    writeFileSync(path, '');
    truncateSync(path, 65 << 20);
    await page.getByLabel('Open a /proc/vmallocinfo').setInputFiles(path);
    await expect
      .poll(() => alert.textContent())
      .toBe('dump is 65M long: expected the text of a /proc/vmallocinfo. Dumps are opened in Walk.');
    rmSync(dirname(path), { recursive: true });
    await page.getByText('Linux 6.12, x86-64 · 163 areas').waitFor();
  });

  test('links to all that was chosen, with the text that was pasted', async () => {
    const page = await site.page('#compare');
    await page.getByRole('heading', { name: 'Formats', exact: true }).waitFor();
    await page.getByText('Paste one').click();
    await page.getByRole('textbox', { name: 'Text of /proc/vmallocinfo' }).fill(`${TEXT}no line\n`);
    await page.getByRole('button', { name: 'Compare, and pass over bad lines' }).click();
    await page.getByText('The address of this page is a link to this text').waitFor();
    await page.getByLabel('Leaves', { exact: true }).selectOption('huge');
    await page.getByRole('button', { name: 'to scale' }).click();
    await page.getByRole('button', { name: 'by caller' }).click();
    await page.getByRole('button', { name: 'riscv64-sv39', exact: true }).click();
    const picture = page.getByRole('slider', { name: 'Areas in address order' });
    await picture.focus();
    await page.keyboard.press('ArrowRight');
    const chosen = await picture.getAttribute('aria-valuetext');
    await expect.poll(() => page.evaluate(() => location.hash)).toContain('area=0x');
    const hash = await page.evaluate(() => location.hash);
    const again = await site.page(hash);
    await again.getByText('the text of the link · 2 areas').waitFor();
    await again.getByRole('heading', { name: /The address space.*riscv64-sv39, huge leaves/ }).waitFor();
    // The chosen format comes first, and the others when they are compared.
    await expect.poll(() => again.locator('.rows tbody tr').count(), { timeout: 90_000 }).toBe(7);
    for (const name of ['to scale', 'by caller'])
      expect(await again.getByRole('button', { name }).getAttribute('aria-pressed')).toBe('true');
    const there = again.getByRole('slider', { name: 'Areas in address order' });
    expect(await there.getAttribute('aria-valuenow')).toBe('1');
    expect(await there.getAttribute('aria-valuetext')).toBe(chosen);
    await expect.poll(() => again.evaluate(() => location.hash)).toBe(hash);
  });

  test('says what is wrong with a link, and when a text is too long for one', async () => {
    const cut = await site.page('#compare?text=abc');
    await cut.getByText('The text in this link cannot be read').waitFor();
    await cut.getByText('Linux 6.12, x86-64 · 163 areas').waitFor();
    const unknown = await site.page('#compare?format=vax');
    await unknown.getByText('No format is called "vax".').waitFor({ timeout: 90_000 });
    const page = await site.page('#compare?format=arm64-4k-52&leaves=base');
    await page.getByRole('heading', { name: /The address space.*arm64-4k-52, base leaves/ }).waitFor();
    expect(await page.getByRole('checkbox', { name: 'all formats' }).isChecked()).toBe(true);
    await page.getByRole('checkbox', { name: 'all formats' }).click();
    await page.getByText('Paste one').click();
    const many = Array.from({ length: 1200 }, (_, i) => {
      const name = Math.imul(i + 1, 2_654_435_761) >>> 0;
      return `0x0-0x0 8192 caller_${name.toString(36)}_${(name ^ 0x5bd1e995).toString(36)}+0x1/0x2 pages=1 vmalloc`;
    });
    await page.getByRole('textbox', { name: 'Text of /proc/vmallocinfo' }).fill(many.join('\n'));
    await page.getByRole('button', { name: 'Compare', exact: true }).click();
    await page.getByText('This text is too long for a link').waitFor();
    expect(await page.evaluate(() => location.hash.length)).toBeLessThan(200);
  });

  test('keeps a text while other views are shown, and when its own tab is chosen', async () => {
    const page = await site.page('#compare');
    await page.getByText('On 64K pages', { exact: false }).waitFor();
    await page.getByText('Paste one').click();
    await page.getByRole('textbox', { name: 'Text of /proc/vmallocinfo' }).fill(TEXT);
    await page.getByRole('button', { name: 'Compare', exact: true }).click();
    const open = page.getByText('the pasted text · 2 areas');
    await open.waitFor();
    await page.getByText('The address of this page is a link to this text').waitFor();
    const hash = await page.evaluate(() => location.hash);
    const tab = (name: string) =>
      page.getByRole('navigation').getByRole('link', { name, exact: true }).click();
    const isKept = async (): Promise<void> => {
      await expect.poll(() => page.evaluate(() => location.hash)).toBe(hash);
      // A comparison that began anew would show how far it is.
      expect(await page.getByRole('progressbar').count()).toBe(0);
      expect(await open.isVisible()).toBe(true);
    };
    await tab('Compare');
    await isKept();
    await tab('Walk');
    await page.getByText('Drop a dump').waitFor();
    await tab('Compare');
    await isKept();
    await page.goBack();
    await page.getByText('Drop a dump').waitFor();
    await page.goBack();
    await isKept();
  });

  test.each([
    ['light', 1400],
    ['dark', 1400],
    ['light', 400],
    ['dark', 400],
    ['light', 320],
  ] as const)('is legible and accessible: %s, %i pixels', async (colorScheme, width) => {
    const page = await site.page('#compare', { colorScheme, viewport: { width, height: 900 } });
    await page.getByRole('heading', { name: 'Callers that cost most' }).waitFor();
    expect(await axeFindings(page)).toEqual([]);
    expect(await fitsWidth(page)).toBe(true);
    await shot(page, `compare-${colorScheme}-${width}`);
    await page
      .getByLabel('Open a /proc/vmallocinfo')
      .setInputFiles({ name: 'empty', buffer: Buffer.from('\n'), mimeType: 'text/plain' });
    await page.getByRole('alert').getByText('empty is empty').waitFor();
    expect(await axeFindings(page)).toEqual([]);
    expect(await fitsWidth(page)).toBe(true);
  });
});
