import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { axeFindings, fitsWidth, Site, shot } from './page.js';

let site: Site;
beforeAll(async () => {
  site = await Site.open();
});
afterEach(() => site.requireQuiet());
afterAll(() => site.close());

/** A kernel, for programs that do something with one: four lines. */
const KERNEL = `\
import { AddressSpace, FrameAllocator, PhysicalMemory } from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';
const memory = PhysicalMemory.create({ bytes: 16 << 20 });
const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames: new FrameAllocator(memory) });
`;

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

  test('draws a program that does not end while it runs, and keeps its calls when it is stopped', async () => {
    const page = await site.page('#try');
    await page.getByRole('heading', { name: /^Call \d+ of 10$/ }).waitFor();
    const code = page.getByRole('textbox', { name: 'Code' });
    await code.fill(`${KERNEL}
for (let i = 1; i <= 3; i++) kernel.vmalloc(i * 4096, { caller: 'live' });
console.log('three areas');
for (;;);
`);
    await code.press('Control+Enter');
    const stop = page.getByRole('button', { name: 'Stop' });
    const drawn = async (): Promise<void> => {
      await page.getByRole('heading', { name: 'Call 4 of 4' }).waitFor();
      // Each has a guard page behind it.
      for (const size of ['8K', '12K', '16K'])
        await page.getByRole('button', { name: new RegExp(`^vmalloc at .*${size}$`) }).waitFor();
      expect(await page.getByRole('region', { name: 'vmallocinfo' }).textContent()).toMatch(
        /^(.* live .*\n){3}$/,
      );
      expect(await page.getByRole('region', { name: 'Page tables' }).textContent()).toContain(
        '6 of 512 used',
      );
      await page.getByText('three areas', { exact: true }).waitFor();
    };
    await page.getByText('/proc/vmallocinfo', { exact: true }).click();
    await drawn();
    await page.getByText('The program runs.').waitFor();
    expect(await stop.count()).toBe(1);
    await shot(page, 'try-live');
    await stop.click();
    await page.getByText('You stopped the program. What it did until then is shown.').waitFor();
    expect(await stop.count()).toBe(0);
    await drawn();
    expect(await axeFindings(page)).toEqual([]);
    await shot(page, 'try-stopped');
    await page.getByRole('listbox', { name: 'Calls' }).focus();
    await page.keyboard.press('Home');
    await page.getByText('The window has no area.').waitFor();
    await page.keyboard.press('ArrowDown');
    await page.getByRole('heading', { name: 'Call 2 of 4' }).waitFor();
    await expect
      .poll(() => page.evaluate(() => location.hash))
      .toMatch(/^#try\?program=readme&code=[\w-]+&step=2$/);
  });

  test('follows the calls of a program that makes them for ever, until a person looks at one', async () => {
    const page = await site.page('#try');
    // On a busy machine 20 seconds may end before all this is seen. The next test holds that they do end.
    await page.evaluate(() => {
      const after = window.setTimeout.bind(window);
      window.setTimeout = ((task: () => void, wait?: number) =>
        after(task, wait === 20_000 ? 300_000 : wait)) as typeof window.setTimeout;
    });
    await page.getByRole('heading', { name: /^Call \d+ of 10$/ }).waitFor();
    const code = page.getByRole('textbox', { name: 'Code' });
    await code.fill(`${KERNEL}for (;;) kernel.vfree(kernel.vmalloc(4096));\n`);
    await code.press('Control+Enter');
    const title = page.getByRole('heading', { name: /^Call/ });
    const numbers = async (): Promise<number[]> =>
      [...((await title.textContent()) ?? '').matchAll(/[\d,]+/g)].map(([text]) =>
        Number(text.replaceAll(',', '')),
      );
    await expect.poll(async () => (await numbers())[0], { timeout: 60_000 }).toBeGreaterThan(2000);
    const [at, of] = await numbers();
    expect(at).toBe(of);
    // The list scrolls with each call. Keys, unlike a pointer, need no place that stays.
    await page.getByRole('listbox', { name: 'Calls' }).focus();
    await page.keyboard.press('Home');
    await expect.poll(async () => (await numbers())[0]).toBe(1);
    const before = (await numbers())[1] ?? 0;
    await expect.poll(async () => (await numbers())[1], { timeout: 60_000 }).toBeGreaterThan(before);
    expect((await numbers())[0]).toBe(1);
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByText('You stopped the program.').waitFor();
    expect((await numbers())[0]).toBe(1);
    await page.getByText(/calls are not recorded: of a program that makes this many, some are/).waitFor();
    // Those that are recorded can all be walked through.
    await page.getByRole('listbox', { name: 'Calls' }).focus();
    await page.keyboard.press('End');
    expect((await numbers())[0]).toBeGreaterThan(2000);
  });

  test('keeps the calls of a program that is stopped after its time, and of one with a mistake', async () => {
    const page = await site.page('#try');
    await page.getByRole('heading', { name: /^Call \d+ of 10$/ }).waitFor();
    const code = page.getByRole('textbox', { name: 'Code' });
    await code.fill(`${KERNEL}kernel.vmalloc(4096);\nfor (;;);\n`);
    await code.press('Control+Enter');
    await page.getByRole('alert').getByText('The program was stopped after 20 seconds.').waitFor();
    await page.getByRole('heading', { name: 'Call 2 of 2' }).waitFor();
    await page.getByRole('button', { name: /^vmalloc at .*8K$/ }).waitFor();
    await code.fill(`${KERNEL}kernel.vmalloc(4096);\nkernel.vmalloc(0);\n`);
    await code.press('Control+Enter');
    await page.getByRole('alert').getByText('Line 6: EINVAL').waitFor();
    await page.getByRole('heading', { name: 'Call 3 of 3' }).waitFor();
    await page.getByRole('button', { name: /^vmalloc at .*8K$/ }).waitFor();
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
