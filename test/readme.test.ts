import { readFileSync } from 'node:fs';
import { format } from 'node:util';
import { describe, expect, test, vi } from 'vitest';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');

/** Where each README's example stands as a program, and how to run it. */
const examples = {
  '../README.md': { file: './examples/root.ts', run: () => import('./examples/root.js') },
  '../packages/core/README.md': { file: './examples/core.ts', run: () => import('./examples/core.js') },
  '../packages/x86-64/README.md': { file: './examples/x86-64.ts', run: () => import('./examples/x86-64.js') },
  '../packages/x86-64-la57/README.md': {
    file: './examples/x86-64-la57.ts',
    run: () => import('./examples/x86-64-la57.js'),
  },
};

describe.each(Object.entries(examples))('the example in %s', (readme, { file, run }) => {
  const example = read(file);

  test('is the program that runs here', () => {
    expect(/^```ts\n(.*?)^```$/ms.exec(read(readme))?.[1]).toBe(example);
  });

  test('prints what its comments say', async () => {
    const promised = [...example.matchAll(/^ *console\.log\(.*\); \/\/ (.*)$/gm)].map((match) => match[1]);
    expect(promised.length).toBe(example.match(/console\.log/g)?.length);
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    await run();
    const printed = log.mock.calls.map((args) => format(...args));
    log.mockRestore();
    expect(printed).toEqual(promised);
  });
});
