import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { blocksOf } from '../tools/documents/markdown.mjs';
import { packagesWithCalls, START, TEXTS } from '../tools/site/pages.mjs';
import { root } from '../tools/support/run.mjs';
import { inside, mistakesIn } from './support/compiled.js';

const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const programsIn = (file: string, wanted: 'ts' | 'js'): string[] =>
  blocksOf(read(file))
    .filter(({ language }) => language === wanted)
    .map(({ text }) => text);

/** Texts of the site that are files of the repository. */
const texts = [
  START,
  ...TEXTS.map(({ file }) => file).filter((file) => !file.startsWith('reports/')),
  ...packagesWithCalls().map(({ folder }) => `${folder}/README.md`),
];

const core = `import { AddressSpace, attach, type Description, describeEntry, findMappings, FrameAllocator, hex, PageTable, PageTableReader, PhysicalMemory, Process, recover, share, Threads, wasmLoops } from '@vmarea/core';
import { attachArena, createArena } from '@vmarea/arena';
import { Mmu } from '@vmarea/mmu';
import { x8664, x8664Linux } from '@vmarea/x86-64';
declare const memory: PhysicalMemory, frames: FrameAllocator, kernel: AddressSpace, process: Process;`;
const machine = `${core}
const format = x8664();
const linux = x8664Linux();
declare const mmu: Mmu, image: PageTableReader, va: bigint;`;
const here = `${core}
declare class Worker { constructor(url: URL | string, options: { workerData: unknown }); on(event: 'exit', call: () => void): void; terminate(): void }
declare const threads: Threads, url: URL;`;
const browser = `${core}
type Parts = Description<{ kernel: AddressSpace }>;
declare let onmessage: (event: { data: { description: Parts; lock: string } }) => void;
declare const navigator: { locks: { request(name: string, call: () => unknown): Promise<void> } };
declare function work(parts: unknown): void;
declare const worker: { terminate(): void }, description: Parts, lock: string, threads: Threads;`;
const inWorker = `${here}
declare const workerData: Description<{ kernel: AddressSpace; frames: FrameAllocator }>;`;
const inArenaWorker = `${here}
declare const workerData: {
  parts: Description<{ kernel: AddressSpace; process: Process }>;
  arena: Parameters<typeof attachArena>[1];
};`;

/**
 * Pieces of programs, and what stands around them. A piece in two parts shows two threads: each part is a program.
 */
const FRAGMENTS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'docs/api.md': [[machine], [machine], [machine], [machine]],
  'docs/threads.md': [[here], [here, inWorker], [here, inArenaWorker], [browser, browser]],
  'apps/inspect/README.md': [['']],
};

/** The same for pieces in JavaScript, which name no types. A whole program needs nothing around it. */
const UNTYPED: Readonly<Record<string, readonly string[]>> = {
  'docs/write-a-format.md': [
    `import { completeControls, flagOption, integerOption, optionsOf } from '@vmarea/core';
declare function permissions(path: unknown, controls: unknown): unknown;`,
    '',
  ],
  'packages/conformance/README.md': [
    '',
    `import { suite } from '@vmarea/conformance';
declare const test: Parameters<typeof suite>[0], configuration: ReturnType<Parameters<typeof suite>[1]>;`,
  ],
  'packages/mmu/README.md': [
    `${core}
import { ARM64_INVALIDATIONS, arm64FromRegisters } from '@vmarea/arm64';
import { X8664_INVALIDATIONS, x8664FromRegisters } from '@vmarea/x86-64';
declare const cr0: bigint, cr3: bigint, cr4: bigint, efer: bigint;
declare const tcr: bigint, ttbr0: bigint, ttbr1: bigint, sctlr: bigint;`,
  ],
};

/** What a reader names the format of the guide, and where it is here. */
const OWN_FORMAT = /\.\/(my-format|kestrel)\.js/;
const KESTREL = '../packages/conformance/test/kestrel.js';
const MANUAL = "const manual: import('@vmarea/conformance').Manual =";
const typed = (piece: string): string =>
  piece
    .replace(/^export /m, '')
    .replace(OWN_FORMAT, KESTREL)
    .replace('const manual =', MANUAL);

/** Parts begin with a comment that says where they run. */
const PARTS = /\n\n(?=\/\/ in the )/;

test('the pieces of programs in texts use what the packages have', () => {
  const programs = Object.entries(FRAGMENTS).flatMap(([file, fragments]) => {
    const pieces = programsIn(file, 'ts');
    expect(pieces, file).toHaveLength(fragments.length);
    return pieces.flatMap((piece, index) => {
      const around = fragments[index] ?? [];
      const parts = around.length > 1 ? piece.split(PARTS) : [piece];
      expect(parts, `${file}, piece ${index + 1}`).toHaveLength(around.length);
      return parts.map((part, at) => inside(around[at] ?? '', part));
    });
  });
  expect(programs.length).toBeGreaterThan(10);
  expect(mistakesIn(programs)).toEqual([]);
});

test('the pieces of programs without types use what the packages have', () => {
  const programs = Object.entries(UNTYPED).flatMap(([file, fragments]) => {
    const pieces = programsIn(file, 'js');
    expect(pieces, file).toHaveLength(fragments.length);
    return pieces.flatMap((piece, index) => {
      return inside(fragments[index] ?? '', typed(piece));
    });
  });
  expect(programs).toHaveLength(5);
  expect(mistakesIn(programs, { noImplicitAny: false })).toEqual([]);
});

test('every other program in a text of the site is run by a test', () => {
  const examples = readdirSync(join(root, 'test/examples')).map((file) => read(`test/examples/${file}`));
  const format = read('packages/conformance/test/kestrel.ts');
  const unknown = texts
    .filter((file) => !(file in FRAGMENTS))
    .flatMap((file) => programsIn(file, 'ts').map((text) => ({ file, text })))
    .filter(({ text }) => !examples.includes(text) && !format.includes(text.trim()));
  expect(unknown).toEqual([]);
  const untyped = texts.filter((file) => programsIn(file, 'js').length > 0);
  expect(untyped.sort()).toEqual(Object.keys(UNTYPED).sort());
});
