// fast-check, as the tests of mutants get it: the same runs each time, fewer where the room says so, and no search for a smaller
// counterexample. Most mutants fail in the first runs.
import fc from 'fast-check';

const share = Number(process.env.VMAREA_SHARE_OF_RUNS);

/**
 * @param {import('fast-check').IRawProperty<unknown>} property
 * @param {import('fast-check').Parameters<unknown>} [parameters]
 */
function assert(property, { numRuns = 100, ...options } = {}) {
  return fc.assert(property, {
    seed: 1,
    ...options,
    numRuns: Math.ceil(numRuns * share),
    endOnFailure: true,
  });
}

export default { ...fc, assert };
