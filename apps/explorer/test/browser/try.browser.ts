import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { axeFindings, fitsWidth, Site, shot } from './page.js';

let site: Site;
beforeAll(async () => {
  site = await Site.open();
});
afterEach(() => site.requireQuiet());
afterAll(() => site.close());

describe('Try', () => {
  test('runs the program of the README, and shows each call', async () => {
    const page = await site.page('#try');
    await page.getByRole('heading', { name: /^Call \d+ of 10$/ }).waitFor();
    await page.getByText('PGD[402] PUD[0] PMD[0] PTE[0]', { exact: true }).waitFor();
    const calls = page.getByRole('listbox', { name: 'Calls' });
    await calls.focus();
    await page.keyboard.press('Home');
    await page.getByRole('heading', { name: 'Call 1 of 10' }).waitFor();
    await page.getByText('The window has no area.').waitFor();
    await page.keyboard.press('ArrowDown');
    await page.getByRole('button', { name: /^vmalloc at 0xffffc90000000000,\s*16K$/ }).waitFor();
    expect(await page.evaluate(() => location.hash)).toBe('#try?program=readme&step=2');
  });

  test('runs what a person writes, and names the line of a mistake', async () => {
    const page = await site.page('#try?program=sparse-area');
    await page.getByRole('heading', { name: /^Call/ }).waitFor();
    const code = page.getByRole('textbox', { name: 'Code' });
    await code.fill('console.log(6 * 7);\n\nnothing();\n');
    await code.press('Control+Enter');
    await page.getByText('Line 3: ReferenceError: nothing is not defined').waitFor();
    await page.getByText('42', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Undo my changes' }).click();
    expect(await code.inputValue()).toContain('// A sparse area');
  });

  test('stops a program that does not end', async () => {
    const page = await site.page('#try');
    await page.getByRole('heading', { name: /^Call/ }).waitFor();
    await page.getByRole('textbox', { name: 'Code' }).fill('for (;;);');
    await page.getByRole('button', { name: /^Run/ }).click();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('button', { name: /^Run/ }).waitFor();
  });

  test('draws each call when it is made, and keeps those of a program that is stopped', async () => {
    const page = await site.page('#try');
    await page.getByRole('heading', { name: /^Call/ }).waitFor();
    const code = page.getByRole('textbox', { name: 'Code' });
    await code.fill(
      [
        "import { AddressSpace, FrameAllocator, PhysicalMemory } from '@vmarea/core';",
        "import { x8664, x8664Linux } from '@vmarea/x86-64';",
        'const memory = PhysicalMemory.create({ bytes: 4 << 20 });',
        'const frames = new FrameAllocator(memory, { first: 0, frames: 256 });',
        'const ram = new FrameAllocator(memory, { first: 256, frames: 768 });',
        'const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames, ram });',
        'const first = kernel.vmalloc(8192);',
        "console.log('here');",
        'kernel.vmalloc(12288);',
        'for (;;);',
      ].join('\n'),
    );
    await code.press('Control+Enter');
    await page.getByRole('heading', { name: 'Call 3 of 3, so far' }).waitFor();
    await page.getByText('kernel.vmalloc(12288)').first().waitFor();
    await page.getByRole('region', { name: 'Output' }).getByText('here').waitFor();
    await page.getByRole('group', { name: 'Areas in address order' }).waitFor();
    // Somebody looks at an earlier call while it runs.
    await page.getByRole('button', { name: 'The call before' }).click();
    await page.getByRole('heading', { name: 'Call 2 of 3, so far' }).waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page
      .getByRole('alert')
      .getByText('You stopped the program. 3 calls that it had made are here.')
      .waitFor();
    await page.getByRole('heading', { name: 'Call 2 of 3', exact: true }).waitFor();
    await page.getByRole('button', { name: 'The next call' }).click();
    await page.getByRole('heading', { name: 'Call 3 of 3', exact: true }).waitFor();
  });

  test.each([
    ['', null],
    ['// nothing\n', null],
    ["import { x } from '@vmarea/none';", 'there is no package @vmarea/none here'],
    ['Promise.reject(new Error("nobody waits"));', 'nobody waits'],
    ['throw 5;', '5'],
    ['const a = [];\nfor (;;) a.push(new Uint8Array(1e9));', 'Line 2: RangeError'],
  ])('says what a program does that draws nothing: %j', async (text, says) => {
    const page = await site.page('#try');
    await page.getByRole('heading', { name: /^Call/ }).waitFor();
    const code = page.getByRole('textbox', { name: 'Code' });
    await code.fill(text);
    await code.press('Control+Enter');
    if (says !== null) await page.getByRole('alert').getByText(says).waitFor();
    await page.getByText('The program made no call of a kernel').waitFor();
  });

  test('lets keys leave the text', async () => {
    const page = await site.page('#try');
    const code = page.getByRole('textbox', { name: 'Code' });
    await code.fill('{');
    await code.press('Enter');
    await code.press('Tab');
    expect(await code.inputValue()).toBe('{\n    ');
    await code.press('Escape');
    await code.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.tagName)).not.toBe('TEXTAREA');
  });

  test('links to a program that a person wrote, which another person reads before it runs', async () => {
    const page = await site.page('#try?program=runs');
    await page.getByRole('heading', { name: /^Call/ }).waitFor();
    const code = page.getByRole('textbox', { name: 'Code' });
    const mine = `// Größe\n${await code.inputValue()}\nconsole.log('mine');\n`;
    await code.fill(mine);
    await code.press('Control+Enter');
    await page.getByText('The address of this page is a link to this program').waitFor();
    await page.getByRole('button', { name: 'The call before' }).click();
    const hash = await page.evaluate(() => location.hash);
    expect(hash).toMatch(/^#try\?program=runs&code=[\w-]+&step=\d+$/);
    const other = await site.page(hash);
    await other.getByText('This program came with a link. Read it, then run it').waitFor();
    expect(await other.getByRole('textbox', { name: 'Code' }).inputValue()).toBe(mine);
    expect(await other.getByText('mine', { exact: true }).count()).toBe(0);
    await other.getByRole('button', { name: /^Run/ }).click();
    await other.getByText('mine', { exact: true }).waitFor();
  });

  test('says what is wrong with a link, and when a program is too long for one', async () => {
    const unknown = await site.page('#try?program=nothing&step=99');
    await unknown.getByText('No program is called "nothing".').waitFor();
    await unknown.getByRole('heading', { name: 'Call 10 of 10' }).waitFor();
    const page = await site.page('#try?program=runs&code=zzzz');
    await page.getByText('The program in this link cannot be read').waitFor();
    await page.getByRole('heading', { name: /^Call/ }).waitFor();
    const long = Array.from(
      { length: 2000 },
      (_, i) => `// ${(Math.imul(i + 1, 2_654_435_761) >>> 0).toString(36)}`,
    );
    const code = page.getByRole('textbox', { name: 'Code' });
    await code.fill(long.join('\n'));
    await code.press('Control+Enter');
    await page.getByText('This program is too long for a link').waitFor();
  });

  test('keeps what a person wrote while other views are shown, and when its own tab is chosen', async () => {
    const page = await site.page('#try?program=runs&step=3');
    await page.getByRole('heading', { name: /^Call 3 of/ }).waitFor();
    const code = page.getByRole('textbox', { name: 'Code' });
    const tab = (name: string) =>
      page.getByRole('navigation').getByRole('link', { name, exact: true }).click();
    await tab('Try');
    await expect.poll(() => page.evaluate(() => location.hash)).toBe('#try?program=runs&step=3');
    await code.fill('// not run yet\n');
    await tab('Walk');
    await page.getByText('Drop a dump').waitFor();
    await tab('Try');
    expect(await code.inputValue()).toBe('// not run yet\n');
    await page.getByRole('heading', { name: /^Call 3 of/ }).waitFor();
    await page.goBack();
    await page.getByText('Drop a dump').waitFor();
    await page.goBack();
    expect(await code.inputValue()).toBe('// not run yet\n');
    expect(await page.getByRole('combobox', { name: 'Program' }).inputValue()).toBe('runs');
  });

  test('says that it loads, and what to do when it cannot', async () => {
    const page = await site.page('#walk');
    await page.getByText('Drop a dump').waitFor();
    let answer = (): void => {};
    const asked = new Promise<void>((resolve) => {
      answer = resolve;
    });
    await page.route('**/TryPage*.js', async (route) => {
      await asked;
      await route.fulfill({ contentType: 'text/javascript', body: 'throw new Error("another build");' });
    });
    await page.getByRole('navigation').getByRole('link', { name: 'Try' }).click();
    await page.getByText('This view is loading.').waitFor();
    answer();
    await page.getByRole('alert').getByText('This view could not be loaded.').waitFor();
    expect(await axeFindings(page)).toEqual([]);
    await page.unroute('**/TryPage*.js');
    await page.getByRole('button', { name: 'Load the page anew' }).click();
    await page.getByRole('heading', { name: /^Call/ }).waitFor();
  });

  test.each([
    ['light', 1400],
    ['dark', 1400],
    ['light', 400],
    ['dark', 400],
    ['light', 320],
  ] as const)('is legible and accessible: %s, %i pixels', async (colorScheme, width) => {
    const page = await site.page('#try?program=lazy-purge', {
      colorScheme,
      viewport: { width, height: 900 },
    });
    await page.getByRole('heading', { name: /^Call/ }).waitFor();
    expect(await axeFindings(page)).toEqual([]);
    expect(await fitsWidth(page)).toBe(true);
    await shot(page, `try-${colorScheme}-${width}`);
    const code = page.getByRole('textbox', { name: 'Code' });
    await code.fill('nothing();\n');
    await code.press('Control+Enter');
    await page.getByRole('alert').getByText('Line 1: ReferenceError').waitFor();
    expect(await axeFindings(page)).toEqual([]);
    expect(await fitsWidth(page)).toBe(true);
  });
});
