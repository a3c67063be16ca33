import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { published } from '../tools/consumer/packages.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const HOME = 'https://github.com/vmarea/vmarea';
const packages = published(root).map((one) => [one.name, one] as const);

test('thirteen packages are published', () => {
  expect(packages.map(([name]) => name).sort()).toEqual(
    [
      ...['arena', 'arm64', 'bench', 'compare', 'conformance', 'core', 'ebpf', 'image', 'inspect', 'mmu'],
      ...['riscv64', 'x86-64', 'x86-64-la57'],
    ].map((name) => `@vmarea/${name}`),
  );
});

describe.each(packages)('%s', (_, one) => {
  test('says where it comes from and whom it is for', () => {
    const directory = relative(root, one.folder).replaceAll('\\', '/');
    expect(one).toMatchObject({
      homepage: `${HOME}/tree/main/${directory}#readme`,
      bugs: `${HOME}/issues`,
      repository: { type: 'git', url: `git+${HOME}.git`, directory },
      license: 'MIT',
      author: 'The vmarea authors',
      engines: { node: '>=20.19' },
      publishConfig: { access: 'public' },
      keywords: expect.arrayContaining(['vmarea']),
    });
  });

  test('packs its changelog, what is built, and the sources that maps name', () => {
    expect(one.files).toEqual(expect.arrayContaining(['CHANGELOG.md', 'dist', 'src']));
  });

  test('depends on packages of this repository only, if it is a library; on decompressors, if it reads dumps', () => {
    const { dependencies = {}, bin } = one as { dependencies?: Record<string, string>; bin?: object };
    const others = Object.keys(dependencies).filter((name) => !name.startsWith('@vmarea/'));
    if (bin === undefined) expect(others).toEqual(one.name === '@vmarea/image' ? ['fflate', 'fzstd'] : []);
    for (const name of others) expect(dependencies[name]).toMatch(/^\d+\.\d+\.\d+$/);
  });
});
