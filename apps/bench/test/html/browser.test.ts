import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { htmlTable, SORTING } from '../../src/html/table.js';
import { capture } from '../support/capture.js';
import { LARGEST, pageOf, REPORTS, removeBundle } from '../support/reports.js';

const folder = mkdtempSync(join(tmpdir(), 'vmarea-browser-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  removeBundle();
});

/** A Chromium, where `npm run test:browser` names one. */
const chromium = process.env.VMAREA_REPORTS_IN;

/** Opens a file in a new browser. @returns what it shows in the end, and what its console says. */
function opened(
  path: string,
  scheme: 'light' | 'dark' = 'light',
): { readonly dom: string; readonly log: string } {
  const log = join(folder, 'chromium.log');
  rmSync(log, { force: true });
  const dom = execFileSync(
    chromium as string,
    [
      ...['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'],
      ...[
        '--enable-logging',
        `--log-file=${log}`,
        `--user-data-dir=${join(folder, 'profile')}`,
        // Promises are waited for.
        ...['--dump-dom', '--virtual-time-budget=5000'],
        // Blink numbers the schemes: https://source.chromium.org, preferred_color_scheme.mojom.
        `--blink-settings=preferredColorScheme=${scheme === 'dark' ? 0 : 1}`,
      ],
      `file://${path}`,
    ],
    { encoding: 'utf8', timeout: 100_000, stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 2 ** 26 },
  );
  return { dom, log: existsSync(log) ? readFileSync(log, 'utf8') : '' };
}

const consoleOf = (log: string): string[] => log.split('\n').filter((line) => line.includes('CONSOLE'));

describe.skipIf(chromium === undefined)('a page in a browser', () => {
  it('reports errors of a page to this test', () => {
    const path = join(folder, 'wrong.html');
    writeFileSync(path, '<!doctype html><script>throw new Error("seen")</script>');
    expect(consoleOf(opened(path).log).join()).toContain('seen');
  });

  it.each(REPORTS)('of %s opens from disk without an error', async (command, args) => {
    const { page, path } = await pageOf(command, args, folder);
    const { dom, log } = opened(path);
    expect(consoleOf(log)).toEqual([]);
    const count = (text: string, what: RegExp): number => text.match(what)?.length ?? 0;
    expect(count(dom, /<tr>/g)).toBe(count(page, /<tr>/g));
    expect(count(dom, /<tr>/g)).toBeGreaterThan(2);
  });

  it.each(REPORTS)('of %s has the colours of the reader’s scheme', async (command, args) => {
    const { page, path } = await pageOf(command, args, folder);
    const tell = `<script>document.title = getComputedStyle(document.body).backgroundColor</script>`;
    writeFileSync(path, page + tell);
    const back = (scheme: 'light' | 'dark'): string =>
      /<title>(.*?)<\/title>/.exec(opened(path, scheme).dom)?.[1] ?? '';
    expect([back('light'), back('dark')]).toEqual(['rgb(255, 255, 255)', 'rgb(22, 22, 22)']);
  });

  it.each([...REPORTS.slice(0, 1), ...LARGEST.slice(0, 1)])('of %s saves its data', async (command, args) => {
    const { page, path } = await pageOf(command, args, folder);
    // What would be saved is written into the title.
    const tell = `<script>
URL.createObjectURL = (blob) => {
  blob.text().then((text) => { document.title = JSON.parse(text).command; });
  return 'data:,';
};
HTMLAnchorElement.prototype.click = () => {};
document.getElementById('save').click();
</script>`;
    writeFileSync(path, page + tell);
    expect(/<title>(.*?)<\/title>/.exec(opened(path).dom)?.[1]).toBe(command);
  });

  it('sorts by value when a head is clicked, and what is unknown comes last', () => {
    const cells = ['512 KiB', '', '16 MiB', '4K', '–', 'n/a', '16K', '3'];
    const column = { head: 'size', align: 'left', cell: (text: string) => text } as const;
    const path = join(folder, 'sorted.html');
    // The order after one click and after two is written into the title.
    const tell = `<script>
const order = () => [...document.querySelectorAll('td')].map((cell) => cell.textContent.trim()).join('|');
const head = document.querySelector('th button');
head.click();
const up = order();
head.click();
document.title = up + ' ' + order();
</script>`;
    const { markup } = htmlTable('sizes', [column], cells);
    writeFileSync(
      path,
      `<!doctype html><meta charset="utf-8"><title></title>${markup}<script>${SORTING}</script>${tell}`,
    );
    const { dom, log } = opened(path);
    expect(consoleOf(log)).toEqual([]);
    expect(/<title>(.*?)<\/title>/.exec(dom)?.[1]).toBe(
      '3|4K|16K|512 KiB|16 MiB||–|n/a 16 MiB|512 KiB|16K|4K|3||–|n/a',
    );
  });

  it('of layout draws its image', async () => {
    await capture(['layout', '--format', 'x86-64', '--repeat', '1', '--svg', 'areas.svg'], { cwd: folder });
    const { dom, log } = opened(join(folder, 'areas.svg'));
    expect(consoleOf(log)).toEqual([]);
    expect(dom).not.toContain('parsererror');
    expect(dom.match(/<rect class="area/g)?.length).toBeGreaterThan(163);
  });
});
