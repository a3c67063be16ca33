import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { capture } from './capture.js';

/** A stream of one area, again and again. */
const STREAM = `#page 4096\n#cpus 1\n#nodes 1\n#w 0 ffffc90000000000 ffffe8ffffffffff\n${`\
3\t0\t0\tA\tffffc90000000000\t5000\t1\t0\t0
1\t0\t0\tF\tffffc90000000000\t5\t8192
1\t0\t0\tP\tffffc90000000000\tffffc90000005000\t1
`.repeat(80)}`;

const two = ['--format', 'x86-64,arm64-16k-47'];

/** The commands that write a page, and a short run of each. */
export const REPORTS: readonly (readonly [string, readonly string[]])[] = [
  ['layout', ['layout', ...two, '--repeat', '1']],
  [
    'speed',
    [
      'speed',
      '--format',
      'x86-64',
      '--workload',
      'W1,W3',
      '--variant',
      'wasm,array',
      '--pages',
      '64',
      '--passes',
      '1',
      '--repeat',
      '1',
      '--warm-up',
      '0',
    ],
  ],
  ['replay', ['replay', 'stream.tsv', ...two]],
  ['workload', ['workload', 'fix_size_alloc_test', ...two, '--test-loop-count', '50']],
  ['simulate', ['simulate', '--format', 'x86-64']],
];

/** Runs a command in a folder, with the option for a page. @returns the page, and the file's path. */
export async function pageOf(
  command: string,
  args: readonly string[],
  folder: string,
): Promise<{ readonly page: string; readonly path: string }> {
  writeFileSync(join(folder, 'stream.tsv'), STREAM);
  const { code, err } = await capture([...args, '--html', `${command}.html`], { cwd: folder });
  expect(err).toMatch(new RegExp(`^${command}\\.html: \\d+ kB$`, 'm'));
  expect(code).toBe(0);
  const path = join(folder, `${command}.html`);
  return { page: readFileSync(path, 'utf8'), path };
}
