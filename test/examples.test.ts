import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { printedBy, promisedBy } from './support/printed.js';

const folder = new URL('../examples/', import.meta.url);
const runs: Readonly<Record<string, () => Promise<unknown>>> = {
  'arena.ts': () => import('../examples/arena.js'),
  'change-a-range.ts': () => import('../examples/change-a-range.js'),
  'huge-vmalloc.ts': () => import('../examples/huge-vmalloc.js'),
  'kasan-shadow.ts': () => import('../examples/kasan-shadow.js'),
  'lazy-area.ts': () => import('../examples/lazy-area.js'),
  'open-an-image.ts': () => import('../examples/open-an-image.js'),
  'sparse-area.ts': () => import('../examples/sparse-area.js'),
  'two-processors.ts': () => import('../examples/two-processors.js'),
};
const readme = readFileSync(new URL('README.md', folder), 'utf8');

test('every example runs here', () => {
  const files = readdirSync(folder).filter((file) => file.endsWith('.ts'));
  expect(files.sort()).toEqual(Object.keys(runs).sort());
});

describe.each(Object.entries(runs))('examples/%s', (file, run) => {
  const program = readFileSync(new URL(file, folder), 'utf8');

  test('prints what its comments say', async () => {
    expect(await printedBy(run)).toEqual(promisedBy(program));
  });

  test('starts with a comment that says what it shows', () => {
    expect(program).toMatch(/^\/\*\*\n \* [A-Z](?:.*\n \* )*.*\.\n \*\/\n/);
  });

  test('has a row in examples/README.md', () => {
    const name = basename(file, '.ts');
    expect(readme).toMatch(new RegExp(`^\\| \\[${name}\\]\\(${name}\\.ts\\) +\\| .*\\|$`, 'm'));
  });
});
