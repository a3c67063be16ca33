// fast-check, as the tests of mutants get it: the same runs each time, fewer where the room says so, and no search for a smaller
// counterexample. Most mutants fail in the first runs.
import fc from 'fast-check';

/**
 * @param {Parameters<typeof fc.assert>[0]} property
 * @param {import('fast-check').Parameters} [parameters]
 */
function assert(property, { numRuns = 100, ...options } = {}) {
  return fc.assert(property, {
    seed: 1,
    ...options,
    numRuns: Math.ceil(numRuns * Number(process.env.VMAREA_SHARE_OF_RUNS)),
    endOnFailure: true,
  });
}

export default { ...fc, assert };
