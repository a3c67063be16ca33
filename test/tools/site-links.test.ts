import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkLinks } from '../../tools/site/links.mjs';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmarea-links-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Writes files, whose HTML has only what a test names. */
function site(files: Readonly<Record<string, string>>): void {
  for (const [name, body] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, name.endsWith('.html') ? `<!doctype html><html><body>${body}</body></html>` : body);
  }
}

/** Two pages, one in a folder, that link to each other as the site's do. */
const SOUND = {
  'index.html': '<h1 id="top">A</h1><a href="guides/b.html#part">b</a><a href="#top">top</a>',
  'guides/b.html':
    '<h2 id="part">B</h2><a href="../index.html#top">a</a><link rel="stylesheet" href="../assets/b.css">',
  'assets/b.css': 'h2 { color: #000 }',
};

describe('checkLinks', () => {
  test('finds nothing wrong with links that lead somewhere', async () => {
    site(SOUND);
    expect(await checkLinks(folder)).toEqual({ pages: 2, links: 5, outside: 0, dead: [] });
  });

  test.each([
    ['a page', '<a href="guides/c.html">c</a>', 'guides/c.html', 'status 404'],
    ['a file of a page', '<img alt="" src="assets/no.png">', 'assets/no.png', 'status 404'],
    ['a script', '<script src="assets/no.js"></script>', 'assets/no.js', 'status 404'],
    ['an anchor of the same page', '<a href="#no">no</a>', 'z.html#no', 'there is no such anchor'],
    [
      'an anchor of a page before it',
      '<a href="index.html#no">no</a>',
      'index.html#no',
      'there is no such anchor',
    ],
  ])('finds %s that is not there', async (_, body, link, why) => {
    site({ ...SOUND, 'z.html': body });
    const { dead } = await checkLinks(folder);
    expect(dead).toEqual([{ page: 'z.html', link, why: expect.stringContaining(why) }]);
  });

  test('finds an anchor of a page behind it that is not there', async () => {
    site({ ...SOUND, 'a.html': '<a href="guides/b.html#gone">b</a>' });
    const { dead } = await checkLinks(folder);
    expect(dead).toEqual([{ page: 'a.html', link: 'guides/b.html#gone', why: 'there is no such anchor' }]);
  });

  test('names every page with a dead link', async () => {
    site({ ...SOUND, 'y.html': '<a href="no.html">no</a>', 'z.html': '<a href="no.html">no</a>' });
    const { dead } = await checkLinks(folder);
    expect(dead.map(({ page }) => page).sort()).toEqual(['y.html', 'z.html']);
  });

  test('counts links of other hosts, and asks none', async () => {
    site({ ...SOUND, 'z.html': '<a href="https://host.invalid/x">x</a>' });
    expect(await checkLinks(folder)).toMatchObject({ outside: 1, dead: [] });
  });

  test('says that a folder has no page', async () => {
    expect(await checkLinks(folder)).toMatchObject({ pages: 0 });
  });
});
