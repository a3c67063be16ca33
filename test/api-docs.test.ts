import { readdirSync, readFileSync } from 'node:fs';
import { AddressSpace, Process } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { VmArea } from '../packages/core/src/vmap/areas/vm-area.js';
import { LazyArea } from '../packages/core/src/vmap/lazy/lazy-area.js';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const api = read('../docs/api.md');
const differences = read('../docs/linux-differences.md');

/** The folder with a test for each row of the differences. */
const ROWS = './vmap/linux-differences/';

/** Public members of a class, but for those that every object has. */
function membersOf(prototype: object): string[] {
  return Object.getOwnPropertyNames(prototype).filter((name) => !(name in Object.prototype));
}

describe('docs/api.md', () => {
  test.each([
    ['AddressSpace', AddressSpace.prototype],
    ['VmArea', VmArea.prototype],
    ['Process', Process.prototype],
  ])('has every member of %s', (_, prototype) => {
    const missing = membersOf(prototype).filter((name) => !new RegExp(`\`${name}[(\`]`).test(api));
    expect(missing).toEqual([]);
  });

  test('has every member of LazyArea in the row of getLazyArea', () => {
    const row = /^\| `getLazyArea\(.*$/m.exec(api)?.[0] ?? '';
    const missing = membersOf(LazyArea.prototype).filter((name) => !new RegExp(`\`${name}[(\`]`).test(row));
    expect(missing).toEqual([]);
  });

  test('names only calls that exist', () => {
    const known = new Set([AddressSpace, VmArea, Process].flatMap(({ prototype }) => membersOf(prototype)));
    const named = [...api.matchAll(/^\| `([a-zA-Z]+)\(/gm)].map(([, name]) => name as string);
    expect(named.length).toBeGreaterThan(50);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  test('links only to rows that exist', () => {
    const rows = new Set([...differences.matchAll(/<a id="(d\d+)">/g)].map(([, id]) => id));
    const links = [...api.matchAll(/linux-differences\.md#(d\d+)/g)].map(([, id]) => id as string);
    expect(links.filter((id) => !rows.has(id))).toEqual([]);
  });
});

test("docs/linux-differences.md has a test for each row; the title begins with the row's id", () => {
  const rows = [...differences.matchAll(/<a id="d\d+"><\/a>(D\d+) /g)].map(([, id]) => id);
  expect(rows.length).toBeGreaterThan(40);
  const titles = readdirSync(new URL(ROWS, import.meta.url))
    .map((file) => read(`${ROWS}${file}`))
    .flatMap((text) => [...text.matchAll(/^ *(?:test|test\.each\(.*\)|\]\))\(\s*['"`](D\d+): /gm)])
    .map(([, id]) => id);
  expect(titles.sort()).toEqual([...new Set(rows)].sort());
});
