// Breaks one rule at a time and runs the tests of its package, which must notice. A mode of its own: it takes minutes.
//
//   node tools/mutations/run.mjs                 every mutation of the engine
//   node tools/mutations/run.mjs engine flush    those whose rule contains a word
//   node tools/mutations/run.mjs arm64           those of another list in this folder
//   node tools/mutations/run.mjs vmap            those of the vmap API
//   node tools/mutations/run.mjs conformance     those that the conformance suite alone must notice
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const [name = 'engine', word = ''] = process.argv.slice(2);
const lists = readdirSync(new URL('.', import.meta.url)).filter((file) => file.endsWith('.json'));
if (!lists.includes(`${name}.json`)) {
  console.error(`there is no list ${name}; there are ${lists.join(', ')}`);
  process.exit(2);
}
/**
 * `by` names who must notice where it is not the package itself: the cases of a group that a format's conformance test has.
 *
 * @typedef {{ rule: string, file: string, find: string, replace: string, by?: { package: string, group: string } }} Mutation
 */

/** @type {Mutation[]} */
const list = JSON.parse(readFileSync(new URL(`${name}.json`, import.meta.url), 'utf8'));
const chosen = list.filter(({ rule }) => rule.includes(word));
if (chosen.length === 0) {
  console.error(`no mutation's rule contains '${word}'`);
  process.exit(2);
}

const copy = mkdtempSync(join(tmpdir(), 'mutations-'));
process.on('exit', () => rmSync(copy, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(130));
cpSync(root, copy, {
  recursive: true,
  filter: (path) => !['node_modules', 'dist', '.git', '.turbo', 'reports'].includes(basename(path)),
});
linkModules(join(root, 'node_modules'), join(copy, 'node_modules'));
for (const group of ['packages', 'apps']) {
  for (const folder of readdirSync(join(root, group))) {
    const modules = join(root, group, folder, 'node_modules');
    if (existsSync(modules)) linkModules(modules, join(copy, group, folder, 'node_modules'));
  }
}

/**
 * Links what a package depends on; other packages of the repository are those of the copy.
 *
 * @param {string} from
 * @param {string} to
 */
function linkModules(from, to) {
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

/**
 * Runs tests of a package in the copy.
 *
 * @param {string} project - its name.
 * @param {string[]} which - arguments that choose among them.
 * @returns {string | null} the name of the first test that fails.
 */
function firstFailureOf(project, which) {
  const output = join(copy, 'report.json');
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const chosen = ['run', '--project', project, '--bail', '1', '--reporter', 'json', `--outputFile=${output}`];
  const { status } = spawnSync(process.execPath, [vitest, ...chosen, ...which], {
    cwd: copy,
    stdio: 'ignore',
  });
  if (status === 0) return null;
  const report = JSON.parse(readFileSync(output, 'utf8'));
  for (const file of report.testResults) {
    const failed = file.assertionResults.find(
      (/** @type {{ status: string, fullName: string }} */ test) => test.status === 'failed',
    );
    if (failed !== undefined) return `${basename(file.name)}: ${failed.fullName}`;
    if (file.status === 'failed') return `${basename(file.name)} does not load`;
  }
  return 'the run itself';
}

/**
 * Most mutations of the engine die in the quick tests; random operations take a minute.
 *
 * @param {Mutation} mutation
 */
function firstFailure({ file, by }) {
  if (by !== undefined)
    return firstFailureOf(`@vmarea/${by.package}`, ['test/conformance.test.ts', '-t', `:${by.group}:`]);
  const project = `@vmarea/${file.split('/')[1]}`;
  if (project !== '@vmarea/core') return firstFailureOf(project, []);
  if (file.includes('/src/area/')) return firstFailureOf(project, ['test/area']);
  if (file.includes('/src/vmap/')) return firstFailureOf('repository', ['test/vmap']);
  return (
    firstFailureOf(project, ['test/table', 'test/format', '--exclude', '**/*.property.test.ts']) ??
    firstFailureOf(project, ['.property.test.ts'])
  );
}

/** @param {Mutation} mutation */
const testsOf = ({ file, by }) => (by === undefined ? file.split('/')[1] : `${by.package} ${by.group}`);
for (const one of new Map(chosen.map((mutation) => [testsOf(mutation), mutation])).values()) {
  const survivor = firstFailure(one);
  if (survivor === null) continue;
  console.error(`the tests fail without a mutation: ${survivor}`);
  process.exit(2);
}
let survived = 0;
for (const mutation of chosen) {
  const { rule, file, find, replace } = mutation;
  const path = join(copy, file);
  const source = readFileSync(path, 'utf8');
  if (source.split(find).length !== 2) {
    console.error(`${file} holds this ${source.split(find).length - 1} times, not once: ${find}`);
    process.exit(2);
  }
  writeFileSync(
    path,
    source.replace(find, () => replace),
  );
  const started = performance.now();
  const caught = firstFailure(mutation);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(
    `${caught === null ? 'SURVIVED' : 'caught  '} ${rule} (${seconds} s)${caught === null ? '' : `\n         by ${caught}`}`,
  );
  if (caught === null) survived++;
  writeFileSync(path, source);
}
console.log(`${chosen.length - survived} of ${chosen.length} mutations caught`);
process.exit(survived === 0 ? 0 : 1);
