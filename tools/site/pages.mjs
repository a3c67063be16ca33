// What the site holds: which file becomes which page. The texts stay where they are; a page is the rendered file.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../support/run.mjs';

/** The first page. */
export const START = 'docs/README.md';

/**
 * A page that is a text: `url` is where it is in the site, without `.html`.
 *
 * @typedef {{ group: string, file: string, url: string }} Text
 */

/** The changelog is written from the changesets when the site is built. */
export const CHANGELOG = 'reports/site/changelog.md';

/**
 * Every text, in the order of the menu.
 *
 * @type {readonly Text[]}
 */
export const TEXTS = [
  ...inGroup('Guides', {
    why: 'docs/why.md',
    'first-ten-minutes': 'docs/first-ten-minutes.md',
    emulators: 'docs/emulators.md',
    'kernel-engineers': 'docs/kernel-engineers.md',
    dumps: 'docs/dumps.md',
    'write-a-format': 'docs/write-a-format.md',
    threads: 'docs/threads.md',
    examples: 'examples/README.md',
  }),
  ...inGroup('Reference', {
    'linux-calls': 'docs/api.md',
    'linux-differences': 'docs/linux-differences.md',
    fidelity: 'docs/fidelity.md',
    performance: 'docs/performance.md',
    bench: 'apps/bench/README.md',
    explorer: 'apps/explorer/README.md',
  }),
  ...inGroup('Project', {
    repository: 'README.md',
    architecture: 'ARCHITECTURE.md',
    contributing: 'CONTRIBUTING.md',
    changelog: CHANGELOG,
  }),
];

/** Groups of the menu, in its order. `Modules` is typedoc's name for those of the packages. */
export const GROUPS = [...new Set(TEXTS.map(({ group }) => group)), 'Packages'];

/**
 * A package: its folder and its name.
 *
 * @typedef {{ folder: string, name: string }} Package
 */

/** In the order of README.md: core, formats, what is built on them, commands. */
const ORDER = [
  ...['core', 'x86-64', 'x86-64-la57', 'arm64', 'riscv64'],
  ...['mmu', 'arena', 'ebpf', 'image', 'compare', 'conformance', 'inspect', 'bench'],
];

/**
 * Every published package, in the order of the menu.
 *
 * @returns {(Package & { hasCalls: boolean })[]}
 */
export function publishedPackages() {
  const published = ['packages', 'apps'].flatMap((group) =>
    readdirSync(join(root, group))
      .map((folder) => `${group}/${folder}`)
      .map((folder) => ({ folder, ...manifestOf(folder) }))
      .filter((one) => one.private !== true)
      .map(({ folder, name, exports = {} }) => ({ folder, name, hasCalls: '.' in exports })),
  );
  const place = (/** @type {Package} */ { folder }) => ORDER.indexOf(folder.replace(/^.*\//, ''));
  for (const one of published)
    if (place(one) < 0) throw new Error(`tools/site/pages.mjs: ${one.folder} has no place in ORDER`);
  return published.sort((a, b) => place(a) - place(b));
}

/** The packages whose calls the reference has. */
export function packagesWithCalls() {
  return publishedPackages().filter(({ hasCalls }) => hasCalls);
}

/**
 * @param {string} folder
 * @returns {{ name: string, private?: boolean, exports?: Record<string, unknown> }}
 */
function manifestOf(folder) {
  return JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
}

/**
 * @param {string} group
 * @param {Record<string, string>} files - by the last part of their URL.
 */
function inGroup(group, files) {
  const folder = group.toLowerCase();
  return Object.entries(files).map(([name, file]) => ({ group, file, url: `${folder}/${name}` }));
}
