import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { printedBy, promisedBy } from './support/printed.js';

const folder = new URL('../examples/', import.meta.url);
const runs: Readonly<Record<string, () => Promise<unknown>>> = {
  'huge-vmalloc.ts': () => import('../examples/huge-vmalloc.js'),
  'kasan-shadow.ts': () => import('../examples/kasan-shadow.js'),
  'lazy-area.ts': () => import('../examples/lazy-area.js'),
  'sparse-area.ts': () => import('../examples/sparse-area.js'),
};

test('every example runs here', () => {
  expect(readdirSync(folder).sort()).toEqual(Object.keys(runs).sort());
});

describe.each(Object.entries(runs))('examples/%s', (file, run) => {
  test('prints what its comments say', async () => {
    const program = readFileSync(new URL(file, folder), 'utf8');
    expect(await printedBy(run)).toEqual(promisedBy(program));
  });
});
