import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));
const lists = readdirSync(`${root}tools/mutations`).filter((name) => name.endsWith('.json'));

interface Mutation {
  readonly rule: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

test.each(lists)('each mutation of %s changes one place of the sources, and none is named twice', (list) => {
  const mutations: Mutation[] = JSON.parse(readFileSync(`${root}tools/mutations/${list}`, 'utf8'));
  expect(mutations.length).toBeGreaterThan(3);
  expect(new Set(mutations.map(({ rule }) => rule)).size).toBe(mutations.length);
  const places = mutations.map(({ rule, file, find }) => {
    const count = readFileSync(root + file, 'utf8').split(find).length - 1;
    return `${rule}: ${count}`;
  });
  expect(places.filter((place) => !place.endsWith(': 1'))).toEqual([]);
});
