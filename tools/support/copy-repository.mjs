import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { root } from './run.mjs';

/** What git ignores, by names and endings: .gitignore has no other patterns. */
const ignored = readFileSync(join(root, '.gitignore'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.replace(/\/$/, ''));

/**
 * Copies the repository as a new clone has it, but with changes that are not committed: without git, and without what git ignores.
 *
 * @param {string} folder - an empty one.
 */
export function copyRepository(folder) {
  cpSync(root, folder, { recursive: true, filter: (path) => !isIgnored(basename(path)) });
}

/**
 * The files that `copyRepository` copies, with a hash of each.
 *
 * @param {string} [folder] - in the repository.
 * @returns {Map<string, string>}
 */
export function repositoryFiles(folder = '') {
  const entries = readdirSync(join(root, folder), { withFileTypes: true }).filter(
    ({ name }) => !isIgnored(name),
  );
  return new Map(
    entries.flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return [...repositoryFiles(path)];
      return [
        [
          path,
          createHash('sha256')
            .update(readFileSync(join(root, path)))
            .digest('hex'),
        ],
      ];
    }),
  );
}

/**
 * Copies the repository, and links what its packages depend on: the packages of others here, those of the repository in the copy.
 *
 * @param {string} folder - an empty one.
 */
export function copyWithModules(folder) {
  copyRepository(folder);
  linkModules(join(root, 'node_modules'), join(folder, 'node_modules'), folder);
  for (const group of ['packages', 'apps']) {
    for (const name of readdirSync(join(root, group))) {
      const modules = join(root, group, name, 'node_modules');
      if (existsSync(modules)) linkModules(modules, join(folder, group, name, 'node_modules'), folder);
    }
  }
}

/**
 * @param {string} from
 * @param {string} to
 * @param {string} copy
 */
function linkModules(from, to, copy) {
  mkdirSync(to);
  for (const name of readdirSync(from)) {
    if (name !== '@vmarea') symlinkSync(join(from, name), join(to, name));
  }
  if (!existsSync(join(from, '@vmarea'))) return;
  mkdirSync(join(to, '@vmarea'));
  for (const name of readdirSync(join(from, '@vmarea'))) {
    symlinkSync(join(copy, 'packages', name), join(to, '@vmarea', name));
  }
}

/** @param {string} name */
function isIgnored(name) {
  if (name === '.git') return true;
  return ignored.some((one) => (one.startsWith('*') ? name.endsWith(one.slice(1)) : name === one));
}
