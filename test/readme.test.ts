import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { printedBy, promisedBy } from './support/printed.js';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');

/** Where the dump of an example is, until the tests are over. */
const folder = mkdtempSync(join(tmpdir(), 'vmarea-readme-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A dump as a file, for an example that opens it. */
function unpackDump(name: string): void {
  const file = join(folder, name);
  const packed = new URL(`../packages/image/test/data/${name}.kdump.gz`, import.meta.url);
  writeFileSync(file, gunzipSync(readFileSync(packed)));
  process.env.DUMP = file;
}

/** The program of each example in a README or a guide, in the order of the text, and how to run it. */
const examples = [
  { readme: '../README.md', file: './examples/root.ts', run: () => import('./examples/root.js') },
  {
    readme: '../packages/core/README.md',
    file: './examples/core.ts',
    run: () => import('./examples/core.js'),
  },
  {
    readme: '../packages/core/README.md',
    file: './examples/core-change.ts',
    run: () => import('./examples/core-change.js'),
  },
  {
    readme: '../packages/core/README.md',
    file: './examples/core-words.ts',
    run: () => import('./examples/core-words.js'),
  },
  {
    readme: '../packages/x86-64/README.md',
    file: './examples/x86-64.ts',
    run: () => import('./examples/x86-64.js'),
  },
  {
    readme: '../packages/x86-64-la57/README.md',
    file: './examples/x86-64-la57.ts',
    run: () => import('./examples/x86-64-la57.js'),
  },
  {
    readme: '../packages/arm64/README.md',
    file: './examples/arm64.ts',
    run: () => import('./examples/arm64.js'),
  },
  {
    readme: '../packages/riscv64/README.md',
    file: './examples/riscv64.ts',
    run: () => import('./examples/riscv64.js'),
  },
  {
    readme: '../packages/mmu/README.md',
    file: './examples/mmu.ts',
    run: () => import('./examples/mmu.js'),
  },
  {
    readme: '../packages/mmu/README.md',
    file: './examples/mmu-tlb.ts',
    run: () => import('./examples/mmu-tlb.js'),
  },
  {
    readme: '../packages/mmu/README.md',
    file: './examples/mmu-sanitizer.ts',
    run: () => import('./examples/mmu-sanitizer.js'),
  },
  {
    readme: '../packages/arena/README.md',
    file: './examples/arena.ts',
    run: () => import('./examples/arena.js'),
  },
  {
    readme: '../packages/image/README.md',
    file: './examples/image.ts',
    run: async () => {
      unpackDump('riscv64-sv39.zstd');
      return import('./examples/image.js');
    },
  },
  {
    readme: '../packages/compare/README.md',
    file: './examples/compare.ts',
    run: () => import('./examples/compare.js'),
  },
  {
    readme: '../packages/compare/README.md',
    file: './examples/compare-accesses.ts',
    run: () => import('./examples/compare-accesses.js'),
  },
  {
    readme: '../packages/ebpf/README.md',
    file: './examples/ebpf.ts',
    run: () => import('./examples/ebpf.js'),
  },
  {
    readme: '../docs/first-ten-minutes.md',
    file: './examples/guide-first.ts',
    run: () => import('./examples/guide-first.js'),
  },
  {
    readme: '../docs/first-ten-minutes.md',
    file: './examples/guide-areas.ts',
    run: () => import('./examples/guide-areas.js'),
  },
  {
    readme: '../docs/emulators.md',
    file: './examples/guide-emulator.ts',
    run: () => import('./examples/guide-emulator.js'),
  },
  {
    readme: '../docs/emulators.md',
    file: './examples/guide-processors.ts',
    run: () => import('./examples/guide-processors.js'),
  },
  {
    readme: '../docs/kernel-engineers.md',
    file: './examples/guide-page-shift.ts',
    run: () => import('./examples/guide-page-shift.js'),
  },
  {
    readme: '../docs/dumps.md',
    file: './examples/guide-dump.ts',
    run: async () => {
      unpackDump('x86-4level.zlib');
      return import('./examples/guide-dump.js');
    },
  },
];

describe.each(examples)('the example $file in $readme', ({ readme, file, run }) => {
  const example = read(file);
  const place = examples.filter((other) => other.readme === readme).findIndex((other) => other.file === file);

  test('is the program that this test runs', () => {
    const blocks = [...read(readme).matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1]);
    expect(blocks[place]).toBe(example);
    expect(blocks).toHaveLength(examples.filter((other) => other.readme === readme).length);
  });

  test('prints what its comments say', async () => {
    expect(await printedBy(run)).toEqual(promisedBy(example));
  });
});
