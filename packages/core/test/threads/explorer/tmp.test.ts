import { expect, test } from 'vitest';
import { casesOf } from './cases-of.js';
import { explore } from './explore.js';

const bundle = casesOf('processes');
const names = (process.env.CASE ?? '').split('|');
test.each(names)('%s', { timeout: 300000 }, async (name) => {
  const t = Date.now();
  console.log(name, await explore(await bundle, name), Date.now() - t);
  expect(1).toBe(1);
});
