import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { type Bundle, bundleApp } from './bundle.js';
import { capture } from './capture.js';

/** A stream of one area, again and again. */
const STREAM = `#page 4096\n#cpus 1\n#nodes 1\n#w 0 ffffc90000000000 ffffe8ffffffffff\n${`\
3\t0\t0\tA\tffffc90000000000\t5000\t1\t0\t0
1\t0\t0\tF\tffffc90000000000\t5\t8192
1\t0\t0\tP\tffffc90000000000\tffffc90000005000\t1
`.repeat(80)}`;

const two = ['--format', 'x86-64,arm64-16k-47'];

const LONG: readonly (readonly [string, readonly string[]])[] = [
  ['layout', ['layout', '--repeat', '1']],
  ['workload', ['workload', 'all', '--test-loop-count', '3']],
  [
    'replay',
    ['replay', fileURLToPath(new URL('../data/traces/x86-1cpu', import.meta.url)), '--format', 'all'],
  ],
];

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
  [
    'speed --workers',
    ['speed', '--workers', '2', '--pages', '64', '--repeat', '2', '--format', 'x86-64,arm64-64k-48'],
  ],
];

/** The same with as many rows as there can be. */
export const LARGEST: readonly (readonly [string, readonly string[]])[] = [
  [
    'simulate',
    ['simulate', '--format', 'all', '--preset', 'all', '--leaves', 'base,runs,huge', '--dense', '1'],
  ],
  ['replay', ['replay', 'stream.tsv', '--format', 'all']],
  ['workload', ['workload', 'fix_size_alloc_test', '--test-loop-count', '1']],
  // Seconds and minutes.
  ...(process.env.VMAREA_LONG === '1' ? LONG : []),
];

/** The app, for commands that start threads of it. */
let bundle: Bundle | null = null;

/** Removes what `pageOf` made. */
export function removeBundle(): void {
  bundle?.remove();
  bundle = null;
}

/** Runs a command in a folder, with the option for a page. @returns the page, and the file's path. */
export async function pageOf(
  command: string,
  args: readonly string[],
  folder: string,
): Promise<{ readonly page: string; readonly path: string }> {
  writeFileSync(join(folder, 'stream.tsv'), STREAM);
  const name = `${command.replace(' ', '')}.html`;
  if (args.includes('--workers')) bundle ??= bundleApp();
  const script = args.includes('--workers') && bundle !== null ? { script: bundle.cli } : {};
  const { code, err } = await capture([...args, '--html', name], { cwd: folder, ...script });
  expect(err).toMatch(new RegExp(`^${name}: \\d+ kB$`, 'm'));
  expect(code).toBe(0);
  const path = join(folder, name);
  return { page: readFileSync(path, 'utf8'), path };
}
