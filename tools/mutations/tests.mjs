import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { root, run } from '../support/run.mjs';

/**
 * Runs the tests that must notice a mutation, the quick ones first: most mutations of the engine fail in these, and random
 * operations take a minute.
 *
 * @param {string} copy - of the repository.
 * @param {import('./run.mjs').Mutation} mutation
 * @returns {Promise<string | null>} the first test that fails.
 */
export async function firstFailure(copy, { file, by }) {
  if (by !== undefined) {
    const cases = ['test/conformance', '-t', `:${by.group}:`];
    return firstFailureOf(copy, `@vmarea/${by.package}`, cases);
  }
  const project = `@vmarea/${file.split('/')[1]}`;
  if (project !== '@vmarea/core') return firstFailureOf(copy, project, []);
  if (file.includes('/src/area/')) return firstFailureOf(copy, project, ['test/area']);
  if (file.includes('/src/threads/')) return firstFailureOf(copy, project, ['test/threads']);
  if (file.includes('/src/vmap/')) return firstFailureOf(copy, 'repository', ['test/vmap']);
  const quick = ['test/table', 'test/format', '--exclude', '**/*.property.test.ts'];
  return (await firstFailureOf(copy, project, quick)) ?? firstFailureOf(copy, project, ['.property.test.ts']);
}

/**
 * Runs tests of a package in the copy until one fails.
 *
 * @param {string} copy
 * @param {string} project - the package's name.
 * @param {string[]} which - arguments that choose among its tests.
 * @returns {Promise<string | null>} the name of the test that fails.
 */
async function firstFailureOf(copy, project, which) {
  const output = join(copy, 'report.json');
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const options = [
    'run',
    '--project',
    project,
    '--bail',
    '1',
    '--reporter',
    'json',
    `--outputFile=${output}`,
  ];
  const code = await run(process.execPath, [vitest, ...options, ...which], { cwd: copy, stdio: 'ignore' });
  if (code === 0) return null;
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
