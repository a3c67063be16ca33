// The changelog as one page: what the next release of each package brings, from the changesets, and then the CHANGELOG.md that releases wrote.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import readChangesets from '@changesets/read';

/** @typedef {{ releases: readonly { name: string, type: string }[], summary: string }} Changeset */

/**
 * @param {string} folder - of the repository.
 * @param {readonly { folder: string, name: string }[]} packages - in the order of the page.
 */
export async function changelog(folder, packages) {
  const changesets = await changesetsIn(folder);
  const released = packages.flatMap(({ folder: of, name }) => {
    const file = join(folder, of, 'CHANGELOG.md');
    return existsSync(file) ? [{ name, text: readFileSync(file, 'utf8') }] : [];
  });
  return changelogText(
    changesets,
    released,
    packages.map(({ name }) => name),
  );
}

/** @param {string} folder */
function changesetsIn(folder) {
  // The module is CommonJS: what it exports by default is a member of what Node gives.
  const read = /** @type {any} */ (readChangesets).default ?? readChangesets;
  return /** @type {Promise<Changeset[]>} */ (read(folder));
}

/**
 * @param {readonly Changeset[]} changesets
 * @param {readonly { name: string, text: string }[]} released - what CHANGELOG.md of a package says.
 * @param {readonly string[]} order - of the packages.
 */
export function changelogText(changesets, released, order) {
  const lines = ['# Changelog', ''];
  if (changesets.length > 0) lines.push('## Next release', '');
  for (const { names, summary } of byPackages(changesets, order))
    lines.push(`### ${names.map((name) => `\`${name}\``).join(', ')}`, '', summary.trim(), '');
  for (const { name, text } of released) {
    lines.push(`## ${name}`, '');
    // Its heading is the package's name; what is below it goes one level down.
    lines.push(
      text
        .replace(/^# .*\n+/, '')
        .replace(/^(?=##+ )/gm, '#')
        .trim(),
      '',
    );
  }
  return lines.join('\n');
}

/**
 * Changesets with the packages that each is about, in the order of the first of them: what is new before what is changed.
 *
 * @param {readonly Changeset[]} changesets
 * @param {readonly string[]} order
 */
function byPackages(changesets, order) {
  const place = (/** @type {string} */ name) => (order.includes(name) ? order.indexOf(name) : order.length);
  return changesets
    .map(({ releases, summary }) => ({
      names: releases.map(({ name }) => name).sort((a, b) => place(a) - place(b)),
      summary,
    }))
    .sort((a, b) => place(a.names[0] ?? '') - place(b.names[0] ?? '') || a.names.length - b.names.length);
}
