import { readFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { TABLE_FILES } from '../../build/bundled-tables.js';
import { manyLeaves } from '../support/many-leaves.js';
import { axeFindings, fitsWidth, Site, shot } from './page.js';

let site: Site;
beforeAll(async () => {
  site = await Site.open();
});
afterEach(() => site.requireQuiet());
afterAll(() => site.close());

/** A dump as a person has it: without a second packing. */
const dump = (name: string): Buffer =>
  gunzipSync(readFileSync(new URL(`../../../../${TABLE_FILES[name]}`, import.meta.url)));
const file = (name: string, buffer: Buffer) => ({ name, buffer, mimeType: 'application/octet-stream' });
const choose = (page: Page, one: ReturnType<typeof file>) =>
  page.locator('input[type=file]').setInputFiles(one);
const cells = (page: Page) => page.getByRole('slider');
const hashOf = (page: Page) => page.evaluate(() => location.hash);

describe('Walk', () => {
  test('takes a bundled table from its first view, and goes down and up by keys', async () => {
    const page = await site.page('');
    await page.getByRole('button', { name: /^x86-64/ }).click();
    await page.getByRole('heading', { name: 'What is mapped' }).waitFor();
    await page.getByText(/^697 of 697 ranges/).waitFor();
    await cells(page).focus();
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    await page.getByRole('heading', { name: 'PGD table' }).waitFor();
    expect(await cells(page).getAttribute('aria-valuenow')).toBe('511');
    await page.keyboard.press('ArrowLeft');
    await expect.poll(() => cells(page).getAttribute('aria-valuenow')).toBe('510');
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => cells(page).getAttribute('aria-valuenow')).toBe('511');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'PUD table' }).waitFor();
  });

  test('opens a file that is chosen, and goes to an address that is typed', async () => {
    const page = await site.page('#walk');
    await choose(page, file('vmcore', dump('riscv64-sv39.kdump.gz')));
    await page.getByText('Linux 6.12.117+deb13-riscv64').waitFor();
    await page.getByRole('heading', { name: 'What is mapped' }).waitFor();
    await page.keyboard.press('/');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('address');
    await page.keyboard.type('ffffffff80002000');
    await page.keyboard.press('Enter');
    await page.locator('.result').getByText('0x0000000080202000').first().waitFor();
    expect(await hashOf(page)).toContain('va=0xffffffff80002000');
    expect(await hashOf(page)).toContain('format=riscv64-sv39&root=0x81fcb000');
  });

  test('takes a dropped file', async () => {
    const page = await site.page('#walk');
    const bytes = dump('arm64-4k.kdump.gz').toString('base64');
    await page.evaluate((text) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], 'dropped.kdump'));
      for (const type of ['dragover', 'drop'])
        document.body.dispatchEvent(
          new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }),
        );
    }, bytes);
    await page.getByText('dropped.kdump', { exact: true }).waitFor();
    await page.getByText('Linux 6.12.117+deb12-arm64').waitFor();
  });

  test('comes back to what a link names', async () => {
    const page = await site.page('#walk?table=x86-64&root=0x533c000&va=0x400000&level=2');
    await page.getByRole('heading', { name: 'PMD table' }).waitFor();
    expect(await page.getByRole('button', { name: /^process/ }).getAttribute('aria-pressed')).toBe('true');
    expect(await hashOf(page)).toBe('#walk?table=x86-64&format=x86-64&root=0x533c000&va=0x400000&level=2');
  });

  test('comes back to an access and a format beside that a link names', async () => {
    const hash =
      '#walk?table=x86-64&format=x86-64&root=0x533c000&va=0x400000&level=3&access=write-user&beside=riscv64-sv39';
    const page = await site.page(hash);
    await page.getByText('Fault #PF 0x7').waitFor();
    await page.getByRole('columnheader', { name: 'riscv64-sv39' }).waitFor();
    expect(await hashOf(page)).toBe(hash);
  });

  test('says what a link names that is not here', async () => {
    const unknown = await site.page('#walk?table=vax&va=0x1000');
    await unknown.getByText('No tables are called "vax".').waitFor();
    const file = await site.page('#walk?format=x86-64&root=0x533c000&va=0x400000&level=3');
    await file.getByText('This link names the root 0x533c000 of a dump').waitFor();
    await choose(file, { name: 'vmcore', buffer: dump('x86-64.kdump.gz'), mimeType: '' });
    await file.getByRole('heading', { name: 'PTE table' }).waitFor();
    expect(await hashOf(file)).toBe('#walk?format=x86-64&root=0x533c000&va=0x400000&level=3');
    const root = await site.page('#walk?table=x86-64&root=0xdeadbeef000');
    await root.getByRole('alert').waitFor();
    expect(await root.getByRole('alert').textContent()).toMatch(/^EFAULT at 0x0*deadbeef000/);
    await root.getByText(/^697 of 697 ranges/).waitFor();
  });

  test('draws the rows of a long list that are seen, and no others', async () => {
    const page = await site.page('#walk');
    await choose(page, file('many.ptimage', Buffer.from(manyLeaves('x86-64', 50_000))));
    await page.getByText(/^50,001 of 50,001 ranges/).waitFor();
    const rows = page.locator('.range');
    expect(await rows.count()).toBeLessThan(40);
    await page.getByRole('listbox', { name: 'Ranges' }).focus();
    await page.keyboard.press('End');
    await page.locator('#range-50000').waitFor();
    expect(await rows.count()).toBeLessThan(40);
    // 104 tables of the last level, each read once or twice: no more than that.
    expect(await page.getByLabel('The dump').textContent()).toMatch(/[\d.]+[KM] read of [\d.]+K/);
  });

  test('says why an access faults, with the code of the architecture', async () => {
    const page = await site.page('#walk?table=x86-64&root=0x533c000&va=0x400000&level=3');
    await page.getByRole('button', { name: 'write by user mode: fault #PF 0x7' }).click();
    await page.getByText('Fault #PF 0x7').waitFor();
    await page.getByText('the rights do not allow it', { exact: false }).waitFor();
    await page.getByRole('button', { name: 'execute by the kernel: fault #PF 0x11' }).click();
    await page.getByText('Fault #PF 0x11').waitFor();
    await page.getByText('Processor modes').click();
    await page.getByRole('checkbox', { name: 'smep' }).click();
    // The rights forbid it, too, whatever this mode is. The mode below is all that forbids a kernel's read.
    await page.getByRole('button', { name: 'execute by the kernel: fault #PF 0x11' }).waitFor();
    await page.getByRole('button', { name: 'read by the kernel: fault #PF 0x1' }).click();
    await page.getByText('Fault #PF 0x1 at PTE').waitFor();
    await page.getByRole('checkbox', { name: 'smap' }).click();
    await page.getByRole('button', { name: 'read by the kernel: allowed' }).waitFor();
    await page.getByText('and goes to physical 0x0000000003734000').waitFor();
    await page.getByRole('checkbox', { name: 'smap' }).click();
    await page.getByRole('button', { name: 'read by the kernel: fault #PF 0x1' }).waitFor();
  });

  test('names the bits of an address and of an entry, and the rights that each level leaves', async () => {
    const page = await site.page('#walk?table=x86-64&root=0x533c000&va=0x400000&level=3');
    const texts = async (rows: string) =>
      (await page.locator(rows).allInnerTexts()).map((text) => text.replace(/\s+/g, ' ').trim());
    await page.getByRole('heading', { name: 'PTE table' }).waitFor();
    expect(await texts('.layout > .rights :is(tbody, tfoot) tr')).toEqual([
      'PGD[0] 0x80000000053a1067 rw- rw-',
      'PUD[0] 0x00000000053a0067 rw- rw-',
      'PMD[2] 0x0000000005363067 rw- rw-',
      'PTE[0] 0x0000000003734025 --- r--',
      'all together --- r--',
    ]);
    expect((await texts('.layout > .entry tbody tr')).slice(0, 4)).toEqual([
      '63 XD 0 executable',
      '62:59 Protection key 0x0 key 0',
      '58:52 ignored 0x0 the MMU ignores it',
      '51:12 Address 0x3734 physical 0x0000000003734000',
    ]);
    expect((await texts('.layout > .address'))[0]).toContain('PMD 29:21 000000010 2 PTE 20:12 000000000 0');
  });

  test('filters ranges, and goes to one that is clicked', async () => {
    const page = await site.page('#walk?table=x86-64&root=0x533c000');
    await page.getByText(/^\d+ of \d+ ranges/).waitFor();
    await page.getByRole('button', { name: 'writable and executable' }).click();
    await page.getByText(/^0 of /).waitFor();
    await page.getByRole('button', { name: 'writable and executable' }).click();
    await page.getByLabel('Whose').selectOption('user');
    await page.getByLabel('Region').selectOption('user');
    const row = page.getByRole('listbox', { name: 'Ranges' }).getByRole('option').nth(1);
    await row.waitFor();
    const va = (await row.locator('.va').textContent()) ?? '';
    await row.click();
    await expect.poll(() => page.getByRole('textbox', { name: 'Address' }).inputValue()).toBe(va);
  });

  test('shows the same mapping in another format', async () => {
    const page = await site.page('#walk?table=riscv64');
    await page
      .getByRole('combobox', { name: 'The same mapping on another processor' })
      .selectOption('x86-64-la57');
    await page.getByRole('columnheader', { name: 'x86-64-la57' }).waitFor();
    expect(await page.getByRole('row', { name: /^entries read/ }).textContent()).toMatch(/[23]5$|4$/);
  });

  test('keeps what is open when a file is no dump, and says what is wrong', async () => {
    const page = await site.page('#walk?table=riscv64');
    await page.getByText(/^\d+ of \d+ ranges/).waitFor();
    await choose(page, file('notes.txt', Buffer.from('these are no tables'.repeat(500))));
    const alert = page.getByRole('alert');
    await alert.waitFor();
    expect(await alert.textContent()).toMatch(/^notes\.txt: EINVAL/);
    await page.getByRole('heading', { name: 'What is mapped' }).waitFor();
    await page.getByText('Linux 6.12.117+deb13-riscv64').waitFor();
  });

  test('says what is wrong with files that are none', async () => {
    const page = await site.page('#walk');
    const alert = page.getByRole('alert');
    await choose(page, file('nothing', Buffer.alloc(0)));
    await expect.poll(() => alert.textContent()).toBe('nothing: the file is empty, or is a folder.');
    await choose(page, file('cut', dump('x86-64.kdump.gz').subarray(0, 5000)));
    await expect.poll(() => alert.textContent()).toMatch(/^cut: EINVAL: byte 0x1b4.*is it truncated\?$/);
    await choose(page, file('noise', Buffer.alloc(2 ** 16, 'no tables ')));
    await expect.poll(() => alert.textContent()).toMatch(/^noise: EINVAL.*"PTIMAGE1", "makedumpfile"$/);
    await page.getByLabel('Is it raw memory?').fill('80000000');
    await page.getByRole('button', { name: 'Open as raw memory' }).click();
    await expect
      .poll(() => alert.textContent())
      .toMatch(/^noise: no root of page tables was found that can be believed/);
    const packed = gzipSync(dump('x86-64.kdump.gz'));
    await choose(page, file('tables.gz', packed));
    await expect.poll(() => alert.textContent()).toMatch(/^tables\.gz: .*unpack it with gunzip/);
  });

  test('says above all tables that a dump is cut, and how much of it was read', async () => {
    const page = await site.page('#walk');
    const whole = dump('arm64-16k.ptimage.gz');
    await choose(page, file('cut.ptimage', whole.subarray(0, whole.length / 2)));
    await page.getByText(/^the file is cut: \d+ bytes of memory/).waitFor();
    await page.getByText(/tables are not in the dump/).waitFor();
    const [, read = 0, of = 0] =
      /([\d.]+)K read of ([\d.]+)K/.exec((await page.getByLabel('The dump').textContent()) ?? '') ?? [];
    expect(Number(read)).toBeGreaterThan(0);
    expect(Number(read)).toBeLessThanOrEqual(Number(of));
  });

  test('refuses addresses that the root does not translate, and says which one is near', async () => {
    const page = await site.page('#walk?table=x86-64');
    await page.getByText(/^697 of 697 ranges/).waitFor();
    const box = page.getByRole('textbox', { name: 'Address' });
    for (const [text, says] of [
      ['zz', 'Write up to 16 hexadecimal digits'],
      ['0x1ffffffffffffffff', 'Write up to 16 hexadecimal digits'],
      ['0000900000000000', 'translates 48 bits, so not this address. Did you mean 0xffff900000000000?'],
    ] as const) {
      await box.fill(text);
      await box.press('Enter');
      await page.getByText(says).waitFor();
      expect(await box.getAttribute('aria-invalid')).toBe('true');
      expect(await box.inputValue()).toBe(text);
    }
    await box.fill('ffff_ffff_8100_0000');
    await box.press('Enter');
    await expect.poll(() => box.inputValue()).toBe('0xffffffff81000000');
    expect(await box.getAttribute('aria-invalid')).toBe('false');
  });

  test('is used by keys alone, from the first view to an entry', async () => {
    const page = await site.page('');
    const focused = () =>
      page.evaluate(() => {
        const { activeElement } = document;
        return activeElement?.getAttribute('aria-label') ?? activeElement?.textContent?.trim() ?? '';
      });
    for (let i = 0; i < 20 && !(await focused()).startsWith('riscv64'); i++) await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await expect.poll(focused).toBe('Entries of the PMD table');
    await page.keyboard.press('Escape');
    await expect.poll(focused).toBe('Entries of the PGD table');
    await page.keyboard.press('/');
    await page.keyboard.type('ffffffff80002000');
    await page.keyboard.press('Enter');
    await page.locator('.result').getByText('0x0000000080202000').first().waitFor();
    await page.keyboard.press('Escape');
    await expect.poll(focused).toMatch(/^Entries of the/);
    // From a list of choices, too.
    await page.getByRole('combobox', { name: 'Region' }).focus();
    await page.keyboard.press('/');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('address');
  });

  test.each([
    ['light', 1400],
    ['dark', 1400],
    ['light', 400],
    ['dark', 400],
    ['light', 320],
  ] as const)('is legible and accessible: %s, %i pixels', async (colorScheme, width) => {
    const options = { colorScheme, viewport: { width, height: 900 } };
    const start = await site.page('#walk', options);
    await start.getByText('Drop a dump').waitFor();
    expect(await axeFindings(start)).toEqual([]);
    expect(await fitsWidth(start)).toBe(true);
    await shot(start, `walk-start-${colorScheme}-${width}`);
    const page = await site.page('#walk?table=arm64-16k', options);
    await page.getByText(/^\d+ of \d+ ranges/).waitFor();
    expect(await axeFindings(page)).toEqual([]);
    expect(await fitsWidth(page)).toBe(true);
    await shot(page, `walk-${colorScheme}-${width}`);
  });
});

// The site of the project links to the page by the longer name.
test.each(['', 'index.html'])('the page works without a network after its first load: /%s', async (name) => {
  const page = await site.page(name, { serviceWorkers: 'allow' });
  await page.evaluate(async () => {
    await navigator.serviceWorker.ready;
    if (navigator.serviceWorker.controller === null)
      await new Promise((resolve) => navigator.serviceWorker.addEventListener('controllerchange', resolve));
  });
  await page.context().setOffline(true);
  await page.reload();
  await page.getByRole('button', { name: /^riscv64/ }).click();
  await page.getByText(/^\d+ of \d+ ranges/).waitFor();
});
