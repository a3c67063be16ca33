import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { accountFor, EXCEPTIONS } from '../tools/documents/accounts.mjs';
import { allCommands, commandsIn, documents } from '../tools/documents/commands.mjs';
import { differenceOf } from '../tools/documents/shown.mjs';

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const commands = allCommands();

describe('the commands of the documents', () => {
  test('are found in every document that has some', () => {
    expect(documents()).toEqual(
      expect.arrayContaining(['README.md', 'CONTRIBUTING.md', 'apps/bench/README.md', 'docs/fidelity.md']),
    );
    const files = new Set(commands.map(({ file }) => file));
    for (const file of ['README.md', 'CONTRIBUTING.md', 'apps/bench/README.md', 'examples/README.md'])
      expect(files).toContain(file);
    for (const name of [
      'core',
      'x86-64',
      'x86-64-la57',
      'arm64',
      'riscv64',
      'conformance',
      'arena',
      'compare',
      'image',
    ])
      expect(files).toContain(`packages/${name}/README.md`);
  });

  test('are all run by something, or cannot be run for a reason', () => {
    const unknown = commands.filter((command) => accountFor(command) === null);
    expect(unknown.map(({ file, line, text }) => `${file}:${line}: ${text}`)).toEqual([]);
  });

  test('have a smaller form in the same document where they take minutes', () => {
    for (const command of commands) {
      const account = accountFor(command);
      if (account?.how !== 'smaller') continue;
      const smaller = commands.find(({ file, text }) => file === command.file && text === account.instead);
      expect(smaller, `${command.file}: ${account.instead}`).toBeDefined();
      expect(smaller && accountFor(smaller)?.how).toBe('run');
    }
  });

  test('are where an exception names them', () => {
    const texts = new Set(commands.map(({ text }) => text));
    expect(Object.keys(EXCEPTIONS).filter((text) => !texts.has(text))).toEqual([]);
  });

  test.each([
    'npm publish',
    'npm run no-such-script',
    'npx rimraf /',
    'node evil.mjs',
    'sudo rm -rf /',
    'vmarea-bench replay NAME',
    'vmarea-bench …',
  ])('%s has no account', (text) => {
    expect(accountFor({ text, file: 'README.md', line: 1 })).toBeNull();
  });
});

describe('packages that documents tell to install', () => {
  const lines = documents().flatMap((file) =>
    [...read(file).matchAll(/npm install (-g |--global )?((?:@vmarea\/[\w-]+ ?)+)/g)].flatMap(
      ([, global = '', names = '']) =>
        names
          .trim()
          .split(' ')
          .map((name) => ({ file, name, isGlobal: global !== '' })),
    ),
  );

  test.each(lines)(
    '$file: $name is published, and has the command that the document uses',
    ({ file, name, isGlobal }) => {
      const short = name.replace('@vmarea/', '');
      const path = ['packages', 'apps']
        .map((group) => `${group}/${short}/package.json`)
        .find((one) => existsSync(new URL(`../${one}`, import.meta.url)));
      expect(path, `${name} is in the repository`).toBeDefined();
      const manifest = JSON.parse(read(path ?? '')) as {
        name: string;
        private?: boolean;
        bin?: Record<string, string>;
      };
      expect(manifest.name).toBe(name);
      expect(manifest.private ?? false).toBe(false);
      if (!isGlobal) return;
      const commands = Object.keys(manifest.bin ?? {});
      expect(commands.length).toBeGreaterThan(0);
      expect(commands.some((command) => read(file).includes(`${command} `))).toBe(true);
    },
  );

  test('are those of the guides, at least', () => {
    expect(lines.filter(({ isGlobal }) => isGlobal).map(({ file }) => file)).toContain('docs/dumps.md');
    expect(lines.length).toBeGreaterThan(5);
  });
});

describe('commandsIn', () => {
  const found = (text: string) =>
    commandsIn('a.md', text).map((command) => `${command.line} ${command.text}`);

  test('takes every line of a shell block, without comments', () => {
    expect(found('# A\n\n```sh\nmake it   # now\n\n# only a comment\nnpm start -- --a "#b"\n```\n')).toEqual([
      '4 make it',
      '7 npm start -- --a "#b"',
    ]);
  });

  test('takes code in text and tables that starts a program', () => {
    expect(found('Run `npm\ntest` or `npx x`.\n\n| `npm run a` | `VAR=1 npm run b -- 0\\|1` |\n')).toEqual([
      '1 npm test',
      '2 npx x',
      '4 npm run a',
      '4 VAR=1 npm run b -- 0|1',
    ]);
  });

  test('takes commands of a block that names no language, and no output', () => {
    expect(found('```\nnpm start\n4 tables\n```\n')).toEqual(['2 npm start']);
  });

  test('takes the text block below a shell block as the output of its last command', () => {
    const text = '```sh\nmake a\nmake b\n```\n\n```text\nb is made\n```\n\n```text\nmore\n```\n';
    const commands = commandsIn('a.md', text);
    expect(commands.map((command) => [command.text, command.shown])).toEqual([
      ['make a', undefined],
      ['make b', 'b is made\n'],
    ]);
  });

  test('takes no text block that has words before it', () => {
    const [command] = commandsIn('a.md', '```sh\nmake a\n```\n\nIt prints:\n\n```text\na\n```\n');
    expect(command?.shown).toBeUndefined();
  });

  test('passes over names and other languages', () => {
    expect(found('`npm` and `node`, `vmarea-bench`\n\n```ts\nnpm start\n```\n')).toEqual([]);
  });
});

describe('differenceOf', () => {
  test.each([
    ['one\ntwo\n', 'one\ntwo\n'],
    ['one  \ntwo', 'one\ntwo  \n\n'],
    ['one\n…', 'one\ntwo\nthree'],
    ['…\nthree', 'one\ntwo\nthree'],
    ['…\ntwo\n…\nfour\n…', 'one\ntwo\nthree\nfour\nfive'],
    ['one\n…\ntwo', 'one\ntwo'],
    ['…\ntwo\nthree', 'two\none\ntwo\nthree'],
    ['one, …\ntwo', 'one, or more\ntwo'],
  ])('finds none where all of %j is in %j', (shown, output) => {
    expect(differenceOf(shown, output)).toBeNull();
  });

  test.each([
    ['one\ntwo', 'one\nthree', 'it does not print, where it is shown:\none\ntwo'],
    ['two', 'one\ntwo', 'it does not print, where it is shown:\ntwo'],
    ['one', 'one\ntwo', 'it does not print, where it is shown:\none'],
    ['…\nthree\n…\ntwo\n…', 'one\ntwo\nthree', 'it does not print, where it is shown:\ntwo'],
    ['…\none\nthree\n…', 'one\ntwo\nthree', 'it does not print, where it is shown:\none\nthree'],
    ['…\ntwo', 'one\ntwo\nthree', 'it does not print, where it is shown:\ntwo'],
    ['one, …', 'two, or more', 'it does not print, where it is shown:\none, …'],
    ['', 'one', 'it prints more than is shown:\none'],
    ['one', '', 'it does not print, where it is shown:\none'],
  ])('says what of %j is not in %j', (shown, output, difference) => {
    expect(differenceOf(shown, output)).toBe(difference);
  });
});

describe('CI', () => {
  test('runs what CONTRIBUTING.md says', () => {
    const said = /^CI runs `\.ci\/run`: (.*?)\. /m.exec(read('CONTRIBUTING.md'))?.[1] ?? '';
    const named = [...said.matchAll(/`(.*?)`/g)].map(([, text]) => text as string);
    expect(named).toContain('npm test');
    expect(named).toContain('npm run documents');
    expect(named).toContain('npm run site');
    for (const text of named) {
      expect(accountFor({ text, file: 'CONTRIBUTING.md', line: 1 })).toEqual({ how: 'ci', by: '.ci/run' });
    }
  });

  test('on GitHub runs the same script', () => {
    expect(read('.github/workflows/ci.yml')).toMatch(/^ +- run: \.ci\/run$/m);
  });
});
