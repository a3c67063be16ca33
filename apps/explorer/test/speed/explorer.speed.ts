import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, describe, expect, test } from 'vitest';
import { Site } from '../browser/page.js';
import { manyLeaves } from '../support/many-leaves.js';
import { writeSparseDump } from '../support/sparse-dump.js';
import { type Moved, move } from './frames.js';
import { usedByChildren } from './processes.js';

const folder = mkdtempSync(join(tmpdir(), 'vmarea-explorer-'));
afterAll(() => rmSync(folder, { recursive: true }));

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const mib = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
const LEAVES = 2 ** 20;

/** Milliseconds from the start of a navigation until the page has an element. Each in a new browser. */
async function loads(hash: string, selector: string, text: string): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const site = await Site.open();
    try {
      const page = await site.page(hash);
      const until = await page.waitForFunction(
        ([one, what]) =>
          [...document.querySelectorAll(one)].some(
            (element) => element.textContent?.includes(what) === true && element.getClientRects().length > 0,
          ) && performance.now(),
        [selector, text] as const,
        { polling: 'raf' },
      );
      times.push((await until.jsonValue()) as number);
    } finally {
      await site.close();
    }
  }
  return times.sort((a, b) => a - b);
}

describe(`interactive, ${availableParallelism()} processors`, () => {
  test.each([
    ['the first view, with its buttons', '#walk', 'button:not(:disabled)', 'x86-64'],
    ['the first answer of Walk, by a link', '#walk?table=x86-64', '#ranges-title + span', 'of 697 ranges'],
    ['the first answer of Try', '#try', '#steps-title', 'Call'],
    ['the first answer of Compare', '#compare', '.rows tbody td', 'x86-64'],
  ])('%s', async (what, hash, selector, text) => {
    const times = await loads(hash, selector, text);
    say(`${what}: ${times.map((time) => Math.round(time)).join(', ')} ms`);
    expect(times[2]).toBeLessThan(2000);
  });
});

// Tables of 512 entries, and of 8,192.
describe.each(['x86-64', 'arm64-64k-48'])('a million leaves of %s', (name) => {
  test('scrolls and draws at 30 frames a second', async () => {
    const path = join(folder, `${name}.ptimage`);
    writeFileSync(path, manyLeaves(name, LEAVES));
    const site = await Site.open();
    try {
      const page = await site.page('#walk');
      const begin = performance.now();
      await page.locator('input[type=file]').setInputFiles(path);
      await page.getByText(/^1,048,577 of 1,048,577 ranges/).waitFor();
      say(`${name}: opened and listed in ${Math.round(performance.now() - begin)} ms`);
      const list = { scroll: '.list', row: '.range' } as const;
      const cells = { at: '#cells', shown: '#cells' } as const;
      judge(`${name}: list, 90 pixels a frame`, await move(page, { ...list, pixels: 90 }));
      judge(`${name}: list, 40,000 pixels a frame`, await move(page, { ...list, pixels: 40_000 }));
      judge(`${name}: cells, a key a frame`, await move(page, { ...cells, keys: ['ArrowRight'] }));
      judge(`${name}: tables, in and out`, await move(page, { ...cells, keys: ['Escape', 'Enter'] }));
      expect(await page.locator('.range').count()).toBeLessThan(40);
    } finally {
      await site.close();
    }
  });
});

function judge(what: string, { frames, changes, longest, gaps, all }: Moved): void {
  say(
    `${what}: ${frames.toFixed(0)} frames a second, ${changes.toFixed(0)} changes a second, ` +
      `longest ${longest.toFixed(0)} ms, ${gaps} of ${all} frames with a gap`,
  );
  expect.soft(frames).toBeGreaterThanOrEqual(30);
  expect.soft(changes).toBeGreaterThanOrEqual(30);
}

describe('a dump of 8 GiB', () => {
  test.each(['elf', 'lime'] as const)('%s is read by slices', async (kind) => {
    const path = join(folder, kind);
    writeSparseDump(path, kind);
    const site = await Site.open();
    try {
      const page = await site.page('#walk');
      await page.getByText('Drop a dump').waitFor();
      const before = usedByChildren();
      const begin = performance.now();
      await page.locator('input[type=file]').setInputFiles(path);
      await page.getByText(/^697 of 697 ranges/).waitFor();
      const seconds = (performance.now() - begin) / 1000;
      const after = usedByChildren();
      const line = await reading(page);
      say(
        `${kind}, ${mib(statSync(path).size)}, ${mib(512 * statSync(path).blocks)} of disk: listed in ${seconds.toFixed(1)} s; ` +
          `the page says ${line}; the browser read ${mib(after.read - before.read)}; ` +
          `its largest process grew from ${mib(before.largest)} to ${mib(after.largest)}`,
      );
      expect(after.largest - before.largest).toBeLessThan(256 * 2 ** 20);
      if (kind === 'elf') expect(after.read - before.read).toBeLessThan(64 * 2 ** 20);
    } finally {
      await site.close();
      rmSync(path);
    }
  });
});

async function reading(page: Page): Promise<string> {
  return /[\w.]+ read of [\w.]+/.exec((await page.getByLabel('The dump').textContent()) ?? '')?.[0] ?? '';
}
