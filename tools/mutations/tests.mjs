import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { root, run } from '../support/run.mjs';

/** @typedef {{ project: string, which: string[] }} Tests */

/**
 * Runs the tests that must notice a mutation, the quick ones first: most mutations fail in these, and random operations take a
 * minute.
 *
 * @param {string} copy - of the repository.
 * @param {import('./run.mjs').Mutation} mutation
 * @returns {Promise<string | null>} the first test that fails.
 */
export async function firstFailure(copy, mutation) {
  for (const { project, which } of testsFor(mutation)) {
    const failure = await firstFailureOf(copy, project, which);
    if (failure !== null) return failure;
  }
  return null;
}

/**
 * @param {import('./run.mjs').Mutation} mutation
 * @returns {Tests[]}
 */
function testsFor({ file, by, interleavings }) {
  if (by !== undefined)
    return [{ project: `@vmarea/${by.package}`, which: ['test/conformance', '-t', `:${by.group}:`] }];
  const project = `@vmarea/${file.split('/')[1]}`;
  if (interleavings !== undefined) {
    const test = `interleavings of ${interleavings.join(' all go right: ')}$`;
    return [{ project, which: ['test/threads/explorer/threads.test.ts', '-t', test] }];
  }
  if (project === '@vmarea/arena')
    return [
      { project, which: [] },
      { project: 'repository', which: ['test/arena'] },
      { project: 'replaced modules of the repository', which: ['test/arena'] },
    ];
  if (project !== '@vmarea/core') return [{ project, which: [] }];
  const isOf = (/** @type {string[]} */ ...parts) => parts.some((part) => file.includes(`/src/${part}`));
  if (isOf('vmap/'))
    return [
      { project: 'repository', which: ['test/vmap/threads', '--exclude', '**/death.test.ts', ...QUICK] },
      { project: 'repository', which: ['test/vmap/threads/death'] },
      { project: 'repository', which: ['test/vmap'] },
    ];
  if (isOf('process/', 'space/frame-owners'))
    return [
      { project: 'repository', which: ['test/process', 'test/vmap/linux-differences/processes', ...QUICK] },
      { project: 'repository', which: ['test/process'] },
    ];
  if (isOf('area/')) return [{ project, which: ['test/area'] }];
  if (isOf('memory/frames/shared/')) return [{ project, which: ['test/threads/frames', ...QUICK] }];
  if (isOf('threads/', 'sharing/', 'table/shared/', 'table/state/table-records', 'loops/shared-'))
    return [
      { project, which: ['test/threads', '--exclude', '**/{explorer,stress}/**', ...QUICK] },
      { project, which: ['test/threads'] },
    ];
  return [
    { project, which: ['test/table', 'test/format', ...QUICK] },
    { project, which: ['.property.test.ts'] },
  ];
}

/** Without random operations. */
const QUICK = ['--exclude', '**/*.property.test.ts'];

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
  const code = await run(process.execPath, [vitest, ...options, ...which], {
    cwd: copy,
    stdio: 'ignore',
    // A list may name a case that `npm test` leaves to the long mode.
    env: { ...process.env, VMAREA_LONG: '1' },
  });
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
