// Breaks one rule of the engine at a time and runs core's tests, which must notice. A mode of its own: it takes minutes.
//
//   node tools/mutations/run.mjs            every mutation
//   node tools/mutations/run.mjs flush      those whose rule contains a word
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
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
const word = process.argv[2] ?? '';
/** @typedef {{ rule: string, file: string, find: string, replace: string }} Mutation */

/** @type {Mutation[]} */
const list = JSON.parse(readFileSync(new URL('engine.json', import.meta.url), 'utf8'));
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
symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
for (const group of ['packages', 'apps']) {
  for (const folder of readdirSync(join(root, group))) {
    const modules = join(root, group, folder, 'node_modules');
    if (existsSync(modules)) symlinkSync(modules, join(copy, group, folder, 'node_modules'));
  }
}

/**
 * Runs core's tests of tables in the copy.
 *
 * @param {string[]} which - arguments that choose among them.
 * @returns {string | null} the name of the first test that fails.
 */
function firstFailureOf(which) {
  const output = join(copy, 'report.json');
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const chosen = [
    'run',
    '--project',
    '@vmarea/core',
    '--bail',
    '1',
    '--reporter',
    'json',
    `--outputFile=${output}`,
  ];
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

/** Most mutations die in the quick tests; random operations take a minute. */
function firstFailure() {
  return (
    firstFailureOf(['test/table', '--exclude', '**/*.property.test.ts']) ??
    firstFailureOf(['.property.test.ts'])
  );
}

const survivor = firstFailure();
if (survivor !== null) {
  console.error(`the tests fail without a mutation: ${survivor}`);
  process.exit(2);
}
let survived = 0;
for (const { rule, file, find, replace } of chosen) {
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
  const caught = firstFailure();
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(
    `${caught === null ? 'SURVIVED' : 'caught  '} ${rule} (${seconds} s)${caught === null ? '' : `\n         by ${caught}`}`,
  );
  if (caught === null) survived++;
  writeFileSync(path, source);
}
console.log(`${chosen.length - survived} of ${chosen.length} mutations caught`);
process.exit(survived === 0 ? 0 : 1);
