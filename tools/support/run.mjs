// Starts other programs. They end when the tool that started them ends: see ending.mjs.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { codeOf, endsWithUs } from './ending.mjs';
import { temporaryFolder } from './temporary.mjs';

const require = createRequire(import.meta.url);

/** The folder of the repository. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** @type {string | undefined} */
let temporaries;

/**
 * Children make their temporary folders inside one of this process. What they leave behind when they are interrupted goes with it.
 *
 * @param {string} command
 * @param {import('node:child_process').SpawnOptions} options
 * @returns {import('node:child_process').SpawnOptions}
 */
function prepared(command, options) {
  temporaries ??= temporaryFolder('children');
  // npm and npx are scripts on Windows, which only a shell can start.
  const shell = process.platform === 'win32' && /^np[mx]$/.test(command);
  return { shell, ...options, env: { ...(options.env ?? process.env), TMPDIR: temporaries } };
}

/**
 * Runs a program on this terminal.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<number>} its exit code; 128 and the number of the signal when a signal ended it.
 */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = endsWithUs(spawn(command, args, { stdio: 'inherit', ...prepared(command, options) }));
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(exitCode(code, signal)));
  });
}

/**
 * Runs a program and gives back what it printed.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions & { input?: string }} [options]
 * @returns {Promise<{ code: number, stdout: string, stderr: string }>}
 */
export function printed(command, args, { input = '', ...options } = {}) {
  return new Promise((resolve, reject) => {
    const child = endsWithUs(
      spawn(command, args, { ...prepared(command, options), stdio: ['pipe', 'pipe', 'pipe'] }),
    );
    const out = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text) => (out.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (out.stderr += text));
    child.stdin.on('error', () => {}); // it may end without reading
    child.stdin.end(input);
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code: exitCode(code, signal), ...out }));
  });
}

/**
 * Runs a program that must succeed, and gives back its standard output.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions & { input?: string }} [options]
 */
export async function output(command, args, options) {
  const { code, stdout, stderr } = await printed(command, args, options);
  if (code === 0) return stdout;
  throw new Error([`${command} ${args.join(' ')} ended with ${code}`, stdout, stderr].join('\n').trim());
}

/**
 * The path of a file in a package that the repository depends on.
 *
 * @param {string} name - of the package.
 * @param {string} file - in it.
 */
export function packageFile(name, file) {
  return join(require.resolve(`${name}/package.json`), '..', file);
}

/**
 * Arguments for npx that run the pnpm which package.json names. npx goes online only to fetch it the first time.
 *
 * @param {string[]} args - for pnpm.
 */
export function pnpm(...args) {
  const { packageManager } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
  return ['--yes', '--prefer-offline', packageManager, ...args];
}

/**
 * @param {number | null} code
 * @param {NodeJS.Signals | null} signal
 */
function exitCode(code, signal) {
  return code ?? (signal === null ? 1 : codeOf(signal));
}
