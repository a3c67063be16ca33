import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { choose } from '@vmarea/cli';
import { wide } from '@vmarea/testkit';
import { afterAll, describe, expect, it } from 'vitest';
import { installedFormats } from '../src/formats.js';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** Source text of an expression that makes a working configuration. */
function source(name: string, change: (text: string) => string = (text) => text): string {
  const plain = (value: unknown): string => {
    if (typeof value === 'bigint') return `${value}n`;
    if (typeof value === 'function') return '() => ({ lo: 1, hi: 0 })';
    if (Array.isArray(value)) return `[${value.map(plain).join(', ')}]`;
    if (typeof value === 'object' && value !== null) {
      return `{${Object.entries(value)
        .map(([key, one]) => `${key}: ${plain(one)}`)
        .join(', ')}}`;
    }
    return JSON.stringify(value);
  };
  return change(plain({ ...wide, name }));
}

interface Package {
  readonly manifest?: object;
  readonly files: Record<string, string>;
}

/** A folder with a package.json and packages in its node_modules. */
function project(dependencies: object, packages: Record<string, Package>): string {
  const folder = mkdtempSync(join(tmpdir(), 'vmarea-formats-'));
  folders.push(folder);
  writeFileSync(join(folder, 'package.json'), JSON.stringify(dependencies));
  for (const [name, { manifest, files }] of Object.entries(packages)) {
    const at = join(folder, 'node_modules', name);
    mkdirSync(at, { recursive: true });
    writeFileSync(
      join(at, 'package.json'),
      JSON.stringify({ name, keywords: ['vmarea-format'], ...manifest }),
    );
    for (const [file, text] of Object.entries(files)) writeFileSync(join(at, file), text);
  }
  return folder;
}

const esm = (text: string): Package => ({
  manifest: {
    type: 'module',
    exports: { '.': { types: './index.d.ts', import: { default: './index.js' } } },
  },
  files: { 'index.js': text },
});

async function namesIn(folder: string) {
  const own = new Set((await installedFormats('/')).configurations.map(({ name }) => name));
  const { configurations, warnings } = await installedFormats(folder);
  return { names: configurations.map(({ name }) => name).filter((name) => !own.has(name)), warnings };
}

describe('installedFormats', () => {
  it('finds the app’s own dependencies in every folder', async () => {
    const { configurations, warnings } = await installedFormats('/does/not/exist');
    expect(configurations.map(({ name }) => name)).toContain('x86-64');
    expect(warnings).toEqual([]);
  });

  it('finds the current folder’s dependencies of every kind, and no other package', async () => {
    const format = (name: string): Package => esm(`export const configurations = [${source(name)}];`);
    const folder = project(
      {
        dependencies: { a: '1', '@scope/b': '1', plain: '1', missing: '1' },
        devDependencies: { c: '1', a: '1' },
        optionalDependencies: { d: '1' },
        peerDependencies: { e: '1' },
      },
      {
        a: format('fmt-a'),
        '@scope/b': format('fmt-b'),
        c: format('fmt-c'),
        d: format('fmt-d'),
        e: format('fmt-e'),
        plain: {
          manifest: { keywords: ['format'] },
          files: { 'index.js': 'throw new Error("do not load me")' },
        },
        unlisted: format('fmt-unlisted'),
      },
    );
    expect(await namesIn(folder)).toEqual({
      names: ['fmt-a', 'fmt-b', 'fmt-d', 'fmt-e', 'fmt-c'],
      warnings: [],
    });
  });

  it.each<[string, Package]>([
    [
      'exports as a string',
      {
        manifest: { type: 'module', exports: './m.js' },
        files: { 'm.js': `export const configurations = [${source('one')}];` },
      },
    ],
    [
      'exports by condition',
      {
        manifest: { exports: { require: './no.cjs', default: './m.mjs' } },
        files: { 'm.mjs': `export const configurations = [${source('one')}];` },
      },
    ],
    [
      'main, CommonJS',
      {
        manifest: { main: './lib.cjs' },
        files: { 'lib.cjs': `exports.configurations = [${source('one')}];` },
      },
    ],
  ])('loads a package with %s', async (_, one) => {
    const folder = project({ dependencies: { pack: '1' } }, { pack: one });
    expect(await namesIn(folder)).toEqual({ names: ['one'], warnings: [] });
  });

  it.each<[string, string, RegExp]>([
    ['that throws', 'throw new Error("no such CPU")', /^broken is left out: no such CPU$/],
    ['with a syntax error', 'export const = 1;', /^broken is left out: /],
    [
      'without the list',
      'export const formats = [];',
      /^broken is left out: it exports no array named configurations$/,
    ],
    ['with no list', 'export const configurations = 5;', /exports no array named configurations/],
    ['with nothing in it', 'export const configurations = [null];', /configurations\[0\]\.: /],
    [
      'with an odd name',
      `export const configurations = [${source('a b')}];`,
      /configurations\[0\]\.name: expected letters, digits and \. \+ -$/,
    ],
    [
      'without a window',
      `export const configurations = [${source('x', (text) => text.replace('window:', 'view:'))}];`,
      /configurations\[0\]\.linux\.window: /,
    ],
    [
      'with an impossible level',
      `export const configurations = [${source('x', (text) => text.replace('shift: 29', 'shift: 30'))}];`,
      /broken is left out: EINVAL: format wide-64k: levels\[1\] \(PMD\) has shift 30/,
    ],
  ])('warns about a package %s, and keeps the others', async (_, text, warning) => {
    const folder = project(
      { dependencies: { broken: '1', good: '1' } },
      { broken: esm(text), good: esm(`export const configurations = [${source('good-one')}];`) },
    );
    const { names, warnings } = await namesIn(folder);
    expect(names).toEqual(['good-one']);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(warning);
  });

  it('keeps the first of two configurations with the same name', async () => {
    const folder = project(
      { dependencies: { first: '1', second: '1' } },
      {
        first: esm(`export const configurations = [${source('same')}];`),
        second: esm(`export const configurations = [${source('same')}, ${source('other')}];`),
      },
    );
    expect(await namesIn(folder)).toEqual({
      names: ['same', 'other'],
      warnings: ['second: another package has a configuration named same; this one is left out'],
    });
  });

  it('does not load a package of the app again', async () => {
    const again = esm('throw new Error("loaded again");');
    const folder = project({ dependencies: { '@vmarea/x86-64': '1' } }, { '@vmarea/x86-64': again });
    expect(await namesIn(folder)).toEqual({ names: [], warnings: [] });
  });

  it('ignores a broken package.json in the current folder', async () => {
    const folder = project({}, {});
    writeFileSync(join(folder, 'package.json'), '{');
    expect(await namesIn(folder)).toEqual({ names: [], warnings: [] });
  });
});

describe('choose', () => {
  const installed = { configurations: [wide, { ...wide, name: 'other' }], warnings: [] };
  it('takes all, or the named ones in their order', () => {
    const names = (wanted?: string) => choose(installed, wanted).map(({ name }) => name);
    expect(names()).toEqual(['wide-64k', 'other']);
    expect(names('other, wide-64k')).toEqual(['other', 'wide-64k']);
    expect(names('other,other')).toEqual(['other']);
  });

  it('names what is installed, or says that nothing is', () => {
    expect(() => choose(installed, 'wide-63k')).toThrow("unknown format 'wide-63k'\nDid you mean wide-64k?");
    expect(() => choose({ configurations: [], warnings: [] }, undefined)).toThrow(
      /no page-table format is installed/,
    );
  });
});
