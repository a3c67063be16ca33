import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkFiles } from '../../tools/consumer/check-files.mjs';

const build = fileURLToPath(new URL('../../tools/build/run.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'vmarea-build-'));
const built = join(folder, 'built');
afterAll(() => rmSync(folder, { recursive: true }));

/** A small package. `hidden.ts` is used inside only. */
const FILES: Readonly<Record<string, string>> = {
  'package.json': JSON.stringify({
    ...{ name: '@test/small', version: '1.2.3', type: 'module' },
    exports: {
      import: { types: './dist/index.d.ts', default: './dist/index.js' },
      require: './dist/cjs/index.js',
    },
  }),
  'tsconfig.json': JSON.stringify({
    compilerOptions: { module: 'NodeNext', target: 'ES2023', noEmit: true, declaration: true },
    include: ['src'],
  }),
  LICENSE: 'MIT\n',
  'README.md': '# small\n',
  'src/index.ts': "export { Shown, type Named } from './parts/shown.js';\n",
  'src/parts/shown.ts': `import { double } from '../hidden.js';
/** Is shown. */
export interface Named { readonly name: string }
/** Is shown, too. */
export class Shown { twice(value: number): number { return double(value); } }
`,
  'src/hidden.ts': 'export function double(value: number): number { return 2 * value; }\n',
  'dist/left-over.js': 'a file of an earlier build\n',
};

beforeAll(() => {
  for (const [name, text] of Object.entries(FILES)) {
    mkdirSync(join(built, name, '..'), { recursive: true });
    writeFileSync(join(built, name), text);
  }
  execFileSync(process.execPath, [build], { cwd: built });
});

describe('the build of a library', () => {
  test.each([
    ['an ES module', 'module', "import { Shown } from './dist/index.js';"],
    ['a CommonJS module', 'commonjs', "const { Shown } = require('./dist/cjs/index.js');"],
  ])('gives %s', (_, type, load) => {
    const script = `${load} console.log(new Shown().twice(21));`;
    const args = [`--input-type=${type}`, '-e', script];
    expect(execFileSync(process.execPath, args, { cwd: built, encoding: 'utf8' })).toBe('42\n');
  });

  test('keeps the declarations that index.ts shows, for both kinds of module', () => {
    for (const dist of ['dist', 'dist/cjs']) {
      expect(existsSync(join(built, dist, 'parts/shown.d.ts'))).toBe(true);
      expect(existsSync(join(built, dist, 'hidden.d.ts'))).toBe(false);
      expect(existsSync(join(built, dist, 'hidden.d.ts.map'))).toBe(false);
    }
  });

  test('leaves nothing of an earlier build', () => {
    expect(existsSync(join(built, 'dist/left-over.js'))).toBe(false);
  });
});

describe('checkFiles', () => {
  /** Changes a copy of the built package and checks it. */
  function checked(change: (path: (name: string) => string) => void, changelog = false): string {
    const copy = mkdtempSync(join(folder, 'copy-'));
    cpSync(built, copy, { recursive: true, filter: (path) => !path.endsWith('tsconfig.json') });
    change((name) => join(copy, name));
    return checkFiles(copy, { changelog });
  }
  const edit = (file: string, from: string, to: string): void => {
    const text = readFileSync(file, 'utf8');
    expect(text).toContain(from);
    writeFileSync(file, text.replace(from, to));
  };

  test('takes what the build gives', () => {
    expect(checked(() => {})).toMatch(/^\d+ files, \d+ KiB$/);
  });

  test.each<[string, (path: (name: string) => string) => void, string]>([
    ['a document is missing', (path) => rmSync(path('LICENSE')), 'LICENSE is missing'],
    [
      'an export is missing',
      (path) => rmSync(path('dist/cjs'), { recursive: true }),
      'names dist/cjs/index.js',
    ],
    ['a source is missing', (path) => rmSync(path('src/hidden.ts')), 'names src/hidden.ts, which is missing'],
    ['a map is missing', (path) => rmSync(path('dist/index.js.map')), 'dist/index.js has no map'],
    [
      'a file does not name its map',
      (path) => edit(path('dist/index.js'), 'sourceMappingURL', 'other'),
      'dist/index.js names no map',
    ],
    [
      'a map holds sources',
      (path) => edit(path('dist/index.js.map'), '"sources"', '"sourcesContent": ["x"], "sources"'),
      'holds a copy of the sources',
    ],
    [
      'a declaration leads to another place',
      (path) => edit(path('src/parts/shown.ts'), '/** Is shown, too. */\n', ''),
      'the map of Shown leads to',
    ],
    ['a test is packed', (path) => writeFileSync(path('src/a.test.ts'), ''), 'src/a.test.ts has no place'],
  ])('refuses a package where %s', (_, change, message) => {
    expect(() => checked(change)).toThrow(message);
  });

  test('wants the changelog of the version', () => {
    expect(() => checked(() => {}, true)).toThrow('CHANGELOG.md is missing');
    const old = '# @test/small\n\n## 1.2.2\n';
    expect(() => checked((path) => writeFileSync(path('CHANGELOG.md'), old), true)).toThrow(
      'does not begin with 1.2.3',
    );
    const right = '# @test/small\n\n## 1.2.3\n';
    expect(checked((path) => writeFileSync(path('CHANGELOG.md'), right), true)).toMatch(/files/);
  });
});
