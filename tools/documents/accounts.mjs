// Who runs each command that a document names. `npm test` fails for a command without an account: let it be run, or say here why not.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../support/run.mjs';

/**
 * - `ci`: `by`, a part of `.ci/run`, runs the command.
 * - `run`: `npm run documents` runs it, as `as`: where a reader puts an own value, `as` has one.
 * - `smaller`: it takes long. `instead` is a command of the same document and is run.
 * - `refused`: it cannot be run.
 *
 * @typedef {{ how: 'ci', by: string }
 *   | { how: 'run', as: string }
 *   | { how: 'smaller', instead: string, reason: string }
 *   | { how: 'refused', reason: string }} Account
 */

const minutes = (/** @type {string} */ instead) => ({
  how: /** @type {const} */ ('smaller'),
  instead,
  reason: 'takes long',
});
const ci = (/** @type {string} */ by) => ({ how: /** @type {const} */ ('ci'), by });
const refused = (/** @type {string} */ reason) => ({ how: /** @type {const} */ ('refused'), reason });

/**
 * Commands that are not simply run. Each must be in a document.
 *
 * @type {Readonly<Record<string, Account>>}
 */
export const EXCEPTIONS = {
  'npm install': refused('a reader must not run it; a test runs the guard that ends it'),
  'npx changeset': refused('asks questions; npm run release:rehearse reads what it has written'),

  'npm run fuzz:dumps': minutes('npm run fuzz:dumps -- 100 7'),
  'npm run speed:explorer': {
    how: 'smaller',
    instead: 'npm run speed:explorer -- elf',
    reason: 'takes minutes, and compares times that a busy machine changes',
  },
  'npm run long': minutes('npm run long -- packages/ebpf/test/object'),
  'npm run hostile': minutes('npm run hostile -- 10000 7'),
  'npm run threads': minutes('npm run threads -- 20000 10 7'),
  'npm run mutations': minutes('npm run mutations -- riscv64 NAPOT'),
  'npm run mutations:score': minutes('npm run mutations:score -- memory/bank'),
  'npm run mutations:score -- vmap 0.1': minutes('npm run mutations:score -- memory/bank'),
  'npm run test:mmu -- --seconds 3600': minutes('npm run bench -- mmu --seconds 10'),
  'npm run bench -- speed --format x86-64': minutes('npm run bench -- speed --quick --format x86-64'),
  'vmarea-bench speed': minutes('vmarea-bench speed --quick --format x86-64'),

  'vmarea-bench workload': minutes('vmarea-bench workload all --test-loop-count 100'),
  'npm run bench -- workload': minutes('vmarea-bench workload all --test-loop-count 100'),

  'vmarea-bench mmu': ci('npm run test:mmu'),
  'npm run consumer': ci('npm run release:rehearse'),
  'npm run bench -- mmu --case mmu-cases/FILE': refused(
    'only a run that fails writes a case; npm run test:mmu repeats the cases of planted faults',
  ),
  'vmarea-bench mmu --case mmu-cases/FILE': refused(
    'only a run that fails writes a case; npm run test:mmu repeats the cases of planted faults',
  ),
};

/**
 * What readers fill in themselves, and a value for it.
 *
 * @type {readonly [RegExp, string][]}
 */
const VALUES = [
  [/(?<=^vmarea-bench replay)$/, ' --help'], // a mere name of the command
  [/(?<= replay )TRACE\b/, 'tools/documents/ftrace.txt'],
  [/(?<= simulate )TRACE\b/, 'apps/bench/traces/shuf.lackey.gz'],
  [/(?<= workload )NAME\[,NAME\]/, 'fix_size_alloc_test,vm_map_ram_test'],
  [/(?<= example )NAME\b/, 'lazy-area'],
];

/** A word that a reader replaces, or a mark that leaves the rest to the reader. */
const PLACEHOLDER = /\b(?:BYTES|COMMAND|FILE|FOLDER|ID|N|NAME|TRACE)\b|…/;

/** What may be run: it changes nothing outside of the copy of the repository, and stand-ins play the part of root. */
const RUNNABLE = [
  /^npm (-s )?start( |$)/,
  /^([A-Z_]+=\S+ )*npx vitest run /,
  /^vmarea-bench /,
  /^vmarea-inspect /,
  /^sudo cat \/proc\/vmallocinfo [>|]/,
  /^sudo cat \/sys\/kernel\/tracing\/trace >/,
  /^echo 1 \| sudo tee \/sys\/kernel\/tracing\//,
];

const main = readFileSync(join(root, '.ci/run'), 'utf8');
/** @type {Record<string, string>} */
const scripts = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts;
/** @type {Record<string, unknown>} */
const tasks = JSON.parse(readFileSync(join(root, 'turbo.json'), 'utf8')).tasks;

/**
 * @param {import('./commands.mjs').Command} command
 * @returns {Account | null} `null` when nobody has thought of it.
 */
export function accountFor({ text, file }) {
  if (Object.hasOwn(EXCEPTIONS, text)) return EXCEPTIONS[text] ?? null;
  if (isInMain(text)) return ci('.ci/run');
  const script = /^npm run ([\w:]+)/.exec(text)?.[1];
  if (text === `npm run ${script}` && isTestTask(script ?? '')) return ci('npm test');
  if (/^(packages|docs)\//.test(file) && /^npm install /.test(text)) return ci('npm run release:rehearse');
  const as = filled(text);
  if (PLACEHOLDER.test(as)) return null;
  const isKnown =
    script === undefined ? RUNNABLE.some((one) => one.test(text)) : Object.hasOwn(scripts, script);
  return isKnown ? { how: 'run', as } : null;
}

/**
 * Whether the main script runs it, perhaps with `-s` or variables before it.
 *
 * @param {string} text
 */
function isInMain(text) {
  if (text === '.ci/run') return true;
  const commands = main.split(/\n|&&|\|\|/).map((one) =>
    one
      .replace(/ -s\b/, '')
      .replace(/^ *(\w+=\S+ )*/, '')
      .trim(),
  );
  return commands.includes(text);
}

/**
 * Whether `npm test` runs a script as a task, of the repository or of each package.
 *
 * @param {string} script
 */
function isTestTask(script) {
  const isTask = Object.hasOwn(tasks, `//#${script}`) || Object.hasOwn(tasks, script);
  return isTask && (scripts.test ?? '').split(' ').includes(script);
}

/** @param {string} text */
function filled(text) {
  return VALUES.reduce((filling, [pattern, value]) => filling.replace(pattern, value), text);
}
