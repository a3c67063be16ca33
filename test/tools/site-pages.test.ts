import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CHANGELOG, packagesWithCalls, publishedPackages, START, TEXTS } from '../../tools/site/pages.mjs';
import { root } from '../../tools/support/run.mjs';

describe('the pages of the site', () => {
  test('have every text of docs/', () => {
    const docs = readdirSync(join(root, 'docs'))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `docs/${name}`);
    const files = [START, ...TEXTS.map(({ file }) => file)];
    expect(docs.filter((file) => !files.includes(file))).toEqual([]);
  });

  test('are made of files that exist, each at a place of its own', () => {
    const files = TEXTS.map(({ file }) => file).filter((file) => file !== CHANGELOG);
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
    expect(new Set(TEXTS.map(({ url }) => url)).size).toBe(TEXTS.length);
  });

  test('have every published package, core first', () => {
    const names = publishedPackages().map(({ name }) => name);
    expect(names[0]).toBe('@vmarea/core');
    expect(names).toContain('@vmarea/bench');
    expect(names).not.toContain('@vmarea/explorer');
    expect(packagesWithCalls().map(({ name }) => name)).toEqual(
      names.filter((name) => name !== '@vmarea/bench'),
    );
  });

  test('are published as they are made', () => {
    const workflow = readFileSync(join(root, '.github/workflows/site.yml'), 'utf8');
    expect(workflow).toMatch(/^ +- run: npm run site$/m);
    expect(workflow).toMatch(/^ +path: _site$/m);
  });
});
