import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { output, root } from '../support/run.mjs';

/**
 * Runs examples/rv64 in the project, as its package.json says. The packages that it names are those of the project.
 *
 * @param {import('./checks.mjs').Checks} checks
 * @param {import('./project.mjs').Project} project
 * @param {string[]} installed - names of packages.
 */
export async function useExample(checks, project, installed) {
  await checks.check('examples/rv64', async () => {
    const folder = join(project.folder, 'rv64');
    cpSync(join(root, 'examples/rv64'), folder, { recursive: true });
    const { dependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const missing = Object.keys(dependencies).filter((name) => !installed.includes(name));
    if (missing.length > 0) throw new Error(`it needs ${missing.join(', ')}`);
    const lines = (await output('npm', ['start', '--silent'], { cwd: folder })).trim().split('\n');
    if (lines[0] !== '17984 primes below 200000') throw new Error(`it printed\n${lines.join('\n')}`);
    return lines.at(-1) ?? '';
  });
}
