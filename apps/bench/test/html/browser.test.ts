import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { capture } from '../support/capture.js';
import { pageOf, REPORTS } from '../support/reports.js';

const folder = mkdtempSync(join(tmpdir(), 'vmarea-browser-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A Chromium, where `npm run test:browser` names one. */
const chromium = process.env.VMAREA_REPORTS_IN;

/** Opens a file in a new browser. @returns what it shows in the end, and what its console says. */
function opened(path: string): { readonly dom: string; readonly log: string } {
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
        '--dump-dom',
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

  it('of layout draws its image', async () => {
    await capture(['layout', '--format', 'x86-64', '--repeat', '1', '--svg', 'areas.svg'], { cwd: folder });
    const { dom, log } = opened(join(folder, 'areas.svg'));
    expect(consoleOf(log)).toEqual([]);
    expect(dom).not.toContain('parsererror');
    expect(dom.match(/<rect class="area/g)?.length).toBeGreaterThan(163);
  });
});
