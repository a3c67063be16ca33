import { readFileSync } from 'node:fs';
import { format } from 'node:util';
import { expect, test, vi } from 'vitest';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');

test('the example in the README is the one that runs here, and prints what its comments say', async () => {
  const example = read('./readme-example.ts');
  expect(/^```ts\n(.*?)^```$/ms.exec(read('../README.md'))?.[1]).toBe(example);

  const promised = [...example.matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm)].map((match) => match[1]);
  expect(promised.length).toBe(7);
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  await import('./readme-example.js');
  const printed = log.mock.calls.map((args) => format(...args));
  log.mockRestore();
  expect(printed).toEqual(promised);
});
