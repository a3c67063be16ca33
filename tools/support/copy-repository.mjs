import { cpSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { root } from './run.mjs';

/** What git ignores, by names and endings: .gitignore has no other patterns. */
const ignored = readFileSync(`${root}.gitignore`, 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.replace(/\/$/, ''));

/**
 * Copies the repository as a new clone has it, with changes that are not committed: without what git ignores and without git.
 *
 * @param {string} folder - where it goes.
 */
export function copyRepository(folder) {
  cpSync(root, folder, { recursive: true, filter: (path) => !isIgnored(basename(path)) });
}

/** @param {string} name */
function isIgnored(name) {
  return (
    name === '.git' ||
    ignored.some((one) => (one.startsWith('*') ? name.endsWith(one.slice(1)) : name === one))
  );
}
