// node tools/example/run.mjs [NAME]: runs an example of examples/, or lists all. Everything must be installed: `npm run example` sees
// to that.
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import leven from 'leven';
import { root } from '../support/run.mjs';
import { runSource } from '../support/run-source.mjs';

const [name, ...more] = process.argv.slice(2);
/** The main file of each example, by its name: a file, or a folder with a package.json of its own. */
const files = new Map(
  readdirSync(`${root}examples`, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() || entry.name.endsWith('.ts'))
    .map((entry) => [
      basename(entry.name, '.ts'),
      entry.isDirectory() ? `${entry.name}/main.mjs` : entry.name,
    ]),
);
const names = [...files.keys()];

if (name === undefined) {
  const width = Math.max(...names.map(({ length }) => length));
  for (const one of names) console.log(`npm run example ${one.padEnd(width)}   ${aboutOf(one)}`);
} else if (!names.includes(basename(name, '.ts'))) {
  const nearest = names.toSorted((a, b) => leven(a, name) - leven(b, name))[0];
  refuse(`there is no example ${name}: did you mean ${nearest}? \`npm run example\` lists all`);
} else if (more.length > 0) {
  refuse(`an example takes no arguments, but got ${more.join(' ')}`);
} else {
  process.exitCode = await runSource(`examples/${files.get(basename(name, '.ts'))}`, []);
}

/**
 * The first sentence of the comment on top of an example.
 *
 * @param {string} example
 */
function aboutOf(example) {
  const comment =
    /^\/\*\*\n((?: \*.*\n)+?) \*\//.exec(
      readFileSync(`${root}examples/${files.get(example)}`, 'utf8'),
    )?.[1] ?? '';
  const text = comment.replace(/^ \* ?/gm, '').replace(/\s+/g, ' ');
  return text.split(/(?<=[.:]) /)[0]?.replace(/[.:]$/, '') ?? '';
}

/** @param {string} why */
function refuse(why) {
  console.error(`example: ${why}`);
  process.exitCode = 2;
}
