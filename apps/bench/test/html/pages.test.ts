import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { installedFormats } from '../../src/formats.js';
import { curves } from '../../src/html/charts.js';
import { html } from '../../src/html/markup.js';
import { htmlPage } from '../../src/html/page.js';
import { speedPage } from '../../src/speed/page.js';
import type { SpeedResult, SpeedRow } from '../../src/speed/result.js';
import { WORKLOADS } from '../../src/speed/workloads/registry.js';
import { capture } from '../support/capture.js';
import { LARGEST, pageOf, REPORTS, removeBundle } from '../support/reports.js';

const folder = mkdtempSync(join(tmpdir(), 'vmarea-pages-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
  removeBundle();
});

/** The data in a page. */
function dataOf(page: string): {
  command: string;
  rows?: { configuration: string }[];
  areas?: { address: string }[];
  formats?: { configuration: string }[];
} {
  const [, type, text = ''] = /<script type="application\/(\w+)" id="data">(.*?)<\/script>/s.exec(page) ?? [];
  return JSON.parse(type === 'gzip' ? gunzipSync(Buffer.from(text, 'base64')).toString() : text);
}

describe('--html', () => {
  it.each(REPORTS)(
    'of %s writes one file below 300 kB with charts and the data, which loads nothing',
    async (command, args) => {
      const { page } = await pageOf(command, args, folder);
      expect(Buffer.byteLength(page)).toBeLessThan(300_000);
      expect(dataOf(page).command).toBe(command);
      expect(page).toMatch(/^<!doctype html>\n<html lang="en">/);
      expect(page).toMatch(/class="bars( groups)?"/);
      expect(page).toContain('<table>');
      expect(page).toContain('prefers-color-scheme:dark');
      // The only address is the name of SVG's elements.
      expect(page.replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|\bsrc=|@import|url\(/);
    },
  );

  it.each(LARGEST)('of %s stays below 300 kB with all rows that there are', async (command, args) => {
    const { page } = await pageOf(command, args, folder);
    expect(Buffer.byteLength(page)).toBeLessThan(300_000);
    const { rows = [], formats = [] } = dataOf(page);
    expect(rows.length + formats.length).toBeGreaterThanOrEqual(20);
  });

  it('of speed stays below 300 kB with every workload in every format', async () => {
    const [, args] = REPORTS.find(([command]) => command === 'speed') ?? [];
    const { page } = await pageOf('speed', args ?? [], folder);
    const small = dataOf(page) as unknown as SpeedResult;
    // A run of every format takes hours. So each number is made up: with all its digits, and no two alike, or the data would shrink.
    let made = 0;
    const number = (): number => 1 + Math.abs(Math.sin(++made)) * 500;
    const timing = <K extends string>(loops: K) => ({
      ...{ median: number(), min: number(), max: number(), mad: number(), standardError: number() },
      ...{ samples: 33, loops },
    });
    const formats = await installedFormats(folder);
    const rows = formats.configurations.flatMap(({ name, title }, at) =>
      // What is the same everywhere is measured in the first format alone.
      WORKLOADS.filter(({ isSameEverywhere }) => at === 0 || isSameEverywhere !== true).map(
        ({ id, hasNoReference }) => ({
          ...(small.rows[0] as SpeedRow),
          ...{ configuration: name, title, workload: id },
          ...{
            wasm: timing('wasm'),
            array: timing('array'),
            c: hasNoReference === true ? null : timing('c'),
          },
          ratio: { wasm: number(), array: number() },
        }),
      ),
    );
    expect(rows.length).toBeGreaterThan(200);
    expect(Buffer.byteLength(speedPage({ ...small, quick: false, rows }))).toBeLessThan(300_000);
  });

  it('of layout has the areas of the cheapest row at their addresses', async () => {
    const hostile = '0x0-0x0 8192 a+0x1/0x2 pages=1 vmalloc <script>alert(1)</script>&"\n'.repeat(3);
    const args = ['layout', '--format', 'x86-64', '--leaves', 'base', '--repeat', '1'];
    const { code } = await capture(
      [...args, '--vmallocinfo', '-', '--html', 'one.html', '--svg', 'one.svg'],
      {
        stdin: hostile,
        cwd: folder,
      },
    );
    expect(code).toBe(0);
    const page = readFileSync(join(folder, 'one.html'), 'utf8');
    expect(page).not.toContain('<script>alert');
    expect(dataOf(page).areas?.map(({ address }) => address)).toEqual([
      '0xffffc90000000000',
      '0xffffc90000002000',
      '0xffffc90000004000',
    ]);
    const image = readFileSync(join(folder, 'one.svg'), 'utf8');
    expect(image).toMatch(/^<\?xml version="1\.0" encoding="UTF-8"\?>\n<svg xmlns=/);
    // Each one by itself, and to scale.
    expect(image.match(/<rect class="area/g)).toHaveLength(6);
    expect(image).toContain('0xffffc90000004000, 4K, vmalloc, a');
    expect(image.match(/<(\w+)[^/>]*>/g)?.length).toBeGreaterThan(10);
  });

  it('of layout stays below 300 kB for thousands of areas', async () => {
    const lines = Array.from({ length: 3000 }, (_, i) =>
      i % 2 === 0
        ? `0x0-0x0 8192 a_caller_with_a_long_name_${i}+0x1/0x2 pages=1 vmalloc`
        : `0x0-0x0 8192 a_caller_with_a_long_name_${i}+0x1/0x2 sparse`,
    );
    const args = ['layout', '--format', 'x86-64', '--leaves', 'base', '--repeat', '1', '--vmallocinfo', '-'];
    const { code } = await capture([...args, '--html', 'many.html'], {
      stdin: lines.join('\n'),
      cwd: folder,
    });
    expect(code).toBe(0);
    const page = readFileSync(join(folder, 'many.html'), 'utf8');
    expect(Buffer.byteLength(page)).toBeLessThan(300_000);
    expect(page).toContain('and 2,800 areas above these');
  });

  it.each([
    ['--html', 'no/such/page.html', 'cannot be written: there is no such folder'],
    ['--html', '-', '--html needs the name of a file'],
    ['--html', '.', 'is a folder; name a file in it'],
    ['--svg', 'no/such/image.svg', '--svg no/such/image.svg cannot be written: there is no such folder'],
  ])('%s %s is refused before the run', async (option, file, message) => {
    const { code, out, err } = await capture(['layout', '--repeat', '1000', option, file], { cwd: folder });
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toContain(message);
    expect(existsSync(join(folder, 'no'))).toBe(false);
  });
});

describe('markup', () => {
  it('escapes text in elements, attributes and data', () => {
    const text = `<b>&"'\u0007`;
    expect(html`<p title="${text}">${text}${[html`<i></i>`]}${5}</p>`.markup).toBe(
      '<p title="&#60;b&#62;&#38;&#34;&#39;�">&#60;b&#62;&#38;&#34;&#39;�<i></i>5</p>',
    );
    const page = htmlPage({ title: 't', notes: [], sections: [], data: { a: '</script><b>', big: 255n } });
    expect(page).not.toContain('</script><b>');
    expect(dataOf(page)).toEqual({ a: '</script><b>', big: '0xff' });
  });

  it('draws curves in one scale from 0 on', () => {
    const points = [
      { x: 0, y: 0 },
      { x: 10, y: 4 },
    ];
    const { markup } = curves('c', 'x', [{ name: 'one', points }], String);
    expect(markup).toContain('d="M64.0 204.0L712.0 8.0"');
    expect(markup.match(/<text [^>]*>(\d)<\/text>/g)).toHaveLength(5);
  });
});
