import { readFileSync } from 'node:fs';
import { format } from 'node:util';
import { expect, test, vi } from 'vitest';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');

const example = read('./examples/arm64.ts');

test('the example of the README is the program that runs here', () => {
  const blocks = [...read('../README.md').matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1]);
  expect(blocks).toEqual([example]);
});

test('it prints what its comments say', async () => {
  const promised = [...example.matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm)].map((match) => match[1]);
  expect(promised.length).toBe(example.match(/console\.log/g)?.length);
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  await import('./examples/arm64.js');
  const printed = log.mock.calls.map((args) => format(...args));
  log.mockRestore();
  expect(printed).toEqual(promised);
});
