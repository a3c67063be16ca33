import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { output, pnpm } from '../support/run.mjs';

/**
 * A package that is published.
 *
 * @typedef {{ name: string, version: string, folder: string, bin?: object, files: string[] }} Package
 */

/**
 * Every package and app that is published.
 *
 * @param {string} root - folder of the repository.
 * @returns {Package[]}
 */
export function published(root) {
  return ['packages', 'apps']
    .flatMap((group) => readdirSync(join(root, group)).map((name) => join(root, group, name)))
    .filter((folder) => existsSync(join(folder, 'package.json'))) // git leaves node_modules of a package that went
    .map((folder) => ({ ...JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')), folder }))
    .filter((manifest) => !manifest.private);
}

/** Whether a package is a command. The others are libraries. */
export const isCommand = (/** @type {Package} */ { bin }) => bin !== undefined;

/**
 * Packs packages.
 *
 * @param {string} root - folder of the repository.
 * @param {Package[]} packages
 * @param {string} folder - where the tarballs go.
 * @returns {Promise<Map<string, string>>} each package's tarball.
 */
export async function pack(root, packages, folder) {
  for (const one of packages) {
    if (existsSync(join(one.folder, 'dist'))) continue;
    throw new Error(
      `${one.name} is not built: name it under //#consumer in turbo.json, or run npm run build`,
    );
  }
  const filters = packages.map(({ name }) => `--filter=${name}`);
  const args = pnpm('--recursive', ...filters, 'pack', '--json', '--pack-destination', folder);
  /** @type {{ name: string, filename: string }[]} */
  const packed = JSON.parse(await output('npx', args, { cwd: root }));
  return new Map(packed.map(({ name, filename }) => [name, filename]));
}
