import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { output, root } from '../support/run.mjs';

/** The examples with a package.json of their own, and a line that each prints. */
const EXAMPLES = {
  rv64: '17984 primes below 200000',
  threads: 'worker 1 mapped 3000 pages',
  'arena-threads': 'process 1: 450 entries, sum 809950; it has walked before: true',
};

/**
 * Runs the examples that are projects of their own, as their package.json says. The packages that they name are those of the
 * project.
 *
 * @param {import('./checks.mjs').Checks} checks
 * @param {import('./project.mjs').Project} project
 * @param {string[]} installed - names of packages.
 */
export async function useExample(checks, project, installed) {
  for (const [name, line] of Object.entries(EXAMPLES))
    await checks.check(`examples/${name}`, async () => {
      const folder = join(project.folder, name);
      cpSync(join(root, 'examples', name), folder, { recursive: true });
      const { dependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      const missing = Object.keys(dependencies).filter((one) => !installed.includes(one));
      if (missing.length > 0) throw new Error(`it needs ${missing.join(', ')}`);
      const lines = (await output('npm', ['start', '--silent'], { cwd: folder })).trim().split('\n');
      if (!lines.includes(line)) throw new Error(`it printed\n${lines.join('\n')}`);
      return lines.at(-1) ?? '';
    });
}
