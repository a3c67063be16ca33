import { root } from '../support/run.mjs';

export { root };

/**
 * The rooms of core that have a score: the folders and files of tests that judge each, and which share of the runs of a property test suffices.
 *
 * @type {Record<'memory' | 'area' | 'vmap', { tests: string[], without: string[], shareOfRuns: number }>}
 */
export const rooms = {
  memory: {
    tests: [
      'packages/core/test/memory',
      'packages/core/test/check',
      'packages/core/test/table/show/snapshot.test.ts',
      'packages/core/test/table/show/snapshot-failure.test.ts',
      'test/printing.test.ts',
    ],
    without: [],
    shareOfRuns: 0.1,
  },
  // Two of its property tests count what they reach, so they need all their runs.
  area: {
    tests: ['packages/core/test/area', 'packages/core/test/check', 'test/printing.test.ts'],
    without: [],
    shareOfRuns: 1,
  },
  vmap: {
    tests: ['packages/core/test/vmap', 'packages/core/test/check', 'test/vmap', 'test/printing.test.ts'],
    // Each takes many seconds a mutant. The other tests must do without them.
    without: ['test/vmap/hostile.test.ts', 'test/vmap/injection.test.ts', 'test/vmap/policy.test.ts'],
    shareOfRuns: 1,
  },
};

/** @param {string} file - the path of a test. */
export const isSlow = (file) => /\.property\.test\.[jt]s$|every-format\.test\.[jt]s$/.test(file);

/** Where the bundled tests are: testkit reads recorded guests beside its sources, so as deep in its folder as these. */
export const bundles = 'packages/testkit/mutated/bundles';
