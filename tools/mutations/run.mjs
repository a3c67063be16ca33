// Breaks one rule at a time and runs the tests of its package, which must fail. A mode of its own: it takes minutes.
//
//   node tools/mutations/run.mjs                 every mutation of the engine
//   node tools/mutations/run.mjs engine flush    those whose rule contains a word
//   node tools/mutations/run.mjs arm64           those of another list in this folder
//   node tools/mutations/run.mjs vmap            those of the vmap API
//   node tools/mutations/run.mjs ebpf            those of BPF objects and their interpreter
//   node tools/mutations/run.mjs sanitizer       those of the sanitizer for flushes
//   node tools/mutations/run.mjs threads         those of the room of threads; `npm test` plants them, too
//   node tools/mutations/run.mjs conformance     those that the conformance suite alone must notice
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { copyWithModules } from '../support/copy-repository.mjs';
import { temporaryFolder } from '../support/temporary.mjs';
import { firstFailure } from './tests.mjs';

/**
 * `interleavings` names the case of the explorer that fails. `by` names who must notice where it is not the package itself: the cases of a group in a format's conformance test.
 *
 * @typedef {{ rule: string, file: string, find: string, replace: string, by?: { package: string, group: string }, interleavings?: [string, string] }} Mutation
 */

const chosen = choose(process.argv.slice(2));
const copy = temporaryFolder('mutations');
copyWithModules(copy);
await expectNoFailure();
let survived = 0;
for (const mutation of chosen) if (!(await isCaught(mutation))) survived++;
console.log(`${chosen.length - survived} of ${chosen.length} mutations caught`);
process.exitCode = survived === 0 ? 0 : 1;

/**
 * @param {string[]} args
 * @returns {Mutation[]}
 */
function choose([name = 'engine', word = '']) {
  const lists = readdirSync(new URL('.', import.meta.url)).filter((file) => file.endsWith('.json'));
  if (!lists.includes(`${name}.json`)) {
    const names = lists.map((file) => basename(file, '.json'));
    refuse(`there is no list ${name}; the lists are ${names.join(', ')}`);
  }
  /** @type {Mutation[]} */
  const list = JSON.parse(readFileSync(new URL(`${name}.json`, import.meta.url), 'utf8'));
  const found = list.filter(({ rule }) => rule.includes(word));
  if (found.length === 0) refuse(`no rule of the list ${name} contains '${word}'`);
  return found;
}

/** The tests must pass before anything is broken. */
async function expectNoFailure() {
  const testsOf = (/** @type {Mutation} */ { file, by }) =>
    by === undefined ? file.split('/')[1] : `${by.package} ${by.group}`;
  for (const one of new Map(chosen.map((mutation) => [testsOf(mutation), mutation])).values()) {
    const failure = await firstFailure(copy, one);
    if (failure !== null) refuse(`the tests fail without a mutation: ${failure}`);
  }
}

/**
 * Breaks a rule, prints who notices, and mends it.
 *
 * @param {Mutation} mutation
 */
async function isCaught(mutation) {
  const { rule, file, find, replace } = mutation;
  const path = join(copy, file);
  const source = readFileSync(path, 'utf8');
  const places = source.split(find).length - 1;
  if (places !== 1) refuse(`${file} must contain this once, but contains it ${places} times: ${find}`);
  writeFileSync(
    path,
    source.replace(find, () => replace),
  );
  const start = performance.now();
  const failure = await firstFailure(copy, mutation);
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  writeFileSync(path, source);
  console.log(
    failure === null
      ? `SURVIVED ${rule} (${seconds} s)`
      : `caught   ${rule} (${seconds} s)\n         by ${failure}`,
  );
  return failure !== null;
}

/**
 * @param {string} why
 * @returns {never}
 */
function refuse(why) {
  console.error(`mutations: ${why}`);
  process.exit(2);
}
