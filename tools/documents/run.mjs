// `npm run documents`: runs the commands of the documents as they stand there, in a copy of the repository that is like a new clone.
//   npm run documents -- README.md    those of one document
//   npm run documents -- --list       runs nothing; prints who runs each command
//
// accounts.mjs says who runs a command. Commands that need root, or a machine's own /proc, meet stand-ins.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Checks } from '../consumer/checks.mjs';
import { copyRepository } from '../support/copy-repository.mjs';
import { writeDumps } from '../support/dumps.mjs';
import { output, root } from '../support/run.mjs';
import { temporaryFolder } from '../support/temporary.mjs';
import { accountFor } from './accounts.mjs';
import { allCommands } from './commands.mjs';
import { differenceOf } from './shown.mjs';

/** @typedef {{ place: string, text: string }} Shown */
/** @typedef {{ text: string, places: string[], shown: Shown[], account: import('./accounts.mjs').Account }} Known */
/** @typedef {{ text: string, as: string, places: string[], shown: Shown[] }} Run */

/** Commands that write files which others read. They run first, and alone. */
const CHANGES = /^npm run (build|format|loops|mutations|stubs)\b/;

/** Dumps that a reader is supposed to have, and those of the repository that play their part. */
const DUMPS = {
  vmcore: 'x86-4level.zlib',
  'before.kdump': 'x86-4level.zlib',
  'after.kdump': 'x86-4level.snappy',
  'arm64.kdump': 'arm64-4k.zlib',
};

const [argument] = process.argv.slice(2);
const commands = known();
if (argument === '--list') {
  const rows = commands.map(({ text, places, account }) => [text, said(account), places.join(', ')]);
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of rows) console.log(row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
} else {
  const chosen = commands.filter(({ places }) => places.some((place) => place.startsWith(argument ?? '')));
  if (chosen.length === 0) throw new Error(`${argument} has no command`);
  await runAll(chosen);
}

/** Every command once, with the places where it stands. */
function known() {
  /** @type {Map<string, Known>} */
  const all = new Map();
  for (const command of allCommands()) {
    const place = `${command.file}:${command.line}`;
    const account = accountFor(command);
    if (account === null) throw new Error(`${place}: nobody runs ${command.text}; see accounts.mjs`);
    const one = all.get(command.text) ?? { text: command.text, places: [], shown: [], account };
    one.places.push(place);
    if (command.shown !== undefined) one.shown.push({ place, text: command.shown });
    all.set(command.text, one);
  }
  return [...all.values()];
}

/** @param {import('./accounts.mjs').Account} account */
function said(account) {
  if (account.how === 'ci') return `run by ${account.by}`;
  if (account.how === 'run') return 'run';
  if (account.how === 'smaller') return `${account.reason}; run smaller: ${account.instead}`;
  return `not run: ${account.reason}`;
}

/** @param {Known[]} chosen */
async function runAll(chosen) {
  const checks = new Checks('documents');
  const copy = join(temporaryFolder('documents'), 'repository');
  copyRepository(copy);
  const env = standIns(copy);
  await checks.check('npm run build', async () => {
    await output('npm', ['run', 'build'], { cwd: copy, env });
    return 'vmarea-bench and vmarea-inspect are this build';
  });
  const run = (/** @type {Run} */ { text, as, places, shown }) =>
    checks.check(as === text ? text : `${text}, as ${as}`, async () => {
      const printed = await output('sh', ['-c', as], { cwd: copy, env });
      for (const { place, text: part } of shown) {
        const difference = differenceOf(part, printed);
        if (difference !== null) throw new Error(`${place}: ${difference}`);
      }
      return [...places, ...(shown.length > 0 ? ['its output is as shown'] : [])].join(', ');
    });
  const all = runs(chosen);
  for (const one of all.filter(({ as }) => CHANGES.test(as))) await run(one);
  const documents = byDocument(all.filter(({ as }) => !CHANGES.test(as)));
  const lane = async () => {
    for (let next = documents.shift(); next !== undefined; next = documents.shift())
      for (const one of next) await run(one);
  };
  await Promise.all([lane(), lane()]);
  checks.finish();
}

/**
 * The commands of each document, in its order: later ones may read what earlier ones wrote. The longest document comes first, so
 * that it does not end alone.
 *
 * @param {Run[]} all
 */
function byDocument(all) {
  /** @type {Map<string, Run[]>} */
  const documents = new Map();
  for (const one of all) {
    const [document = ''] = (one.places[0] ?? '').split(':');
    documents.set(document, [...(documents.get(document) ?? []), one]);
  }
  return [...documents.values()].sort((a, b) => b.length - a.length);
}

/**
 * What to run. `npm run bench -- X` and `vmarea-bench X` do the same, and so do `npm start -- X` and `vmarea-bench layout X`. The
 * first that a document names stands for all.
 *
 * @param {Known[]} chosen
 */
function runs(chosen) {
  /** @type {Map<string, Run>} */
  const all = new Map();
  for (const { text, account, places, shown } of chosen) {
    if (account.how !== 'run') continue;
    const { as } = account;
    const key = as
      .replace(/^npm run bench -- /, 'vmarea-bench ')
      .replace(/^npm (-s )?start( --)?/, 'vmarea-bench layout');
    const one = all.get(key);
    if (one === undefined) all.set(key, { text, as, places: [...places], shown: [...shown] });
    else {
      one.places.push(...places);
      one.shown.push(...shown);
    }
  }
  return [...all.values()];
}

/**
 * Programs that play the part of root and of the installed commands, and files that a reader is supposed to have.
 *
 * @param {string} copy
 * @returns {NodeJS.ProcessEnv}
 */
function standIns(copy) {
  const areas = join(copy, 'apps/bench/data/linux-6.12-x86-64.vmallocinfo.txt');
  writeFileSync(join(copy, 'saved.txt.gz'), gzipSync(readFileSync(areas)));
  writeFileSync(join(copy, 'pasted.txt'), `$ sudo cat /proc/vmallocinfo\n${readFileSync(areas, 'utf8')}`);
  writeDumps(copy, DUMPS);
  writeFileSync(join(copy, 'addresses.txt'), 'ffffffff93e00000\nffff8d3f02c22000\n');
  const folder = join(copy, 'reports/stand-ins');
  mkdirSync(folder, { recursive: true });
  const program = (/** @type {string} */ name, /** @type {string[]} */ lines) =>
    writeFileSync(join(folder, name), ['#!/bin/sh', ...lines, ''].join('\n'), { mode: 0o755 });
  for (const app of ['bench', 'inspect'])
    program(`vmarea-${app}`, [`exec node '${join(copy, 'apps', app, 'dist/cli.js')}' "$@"`]);
  program('sudo', [
    'case "$*" in',
    `  'cat /proc/vmallocinfo') exec cat '${areas}' ;;`,
    `  'cat /sys/kernel/tracing/trace') exec cat '${join(copy, 'tools/documents/ftrace.txt')}' ;;`,
    "  'tee /sys/kernel/tracing/'*) exec cat ;;",
    '  *) echo "no stand-in for sudo $*" >&2; exit 1 ;;',
    'esac',
  ]);
  // The copy has the files of the repository, so what `npm test` has built there is not built again.
  const cache = join(root, '.turbo/cache');
  return { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}`, TURBO_CACHE_DIR: cache };
}
