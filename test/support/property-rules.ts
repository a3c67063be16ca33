import fc from 'fast-check';

/**
 * Ends a property that takes this long: a case that failed is shrunk no further, and one that still runs
 * fails. Shrinking never returns to the event loop, so no time limit of a test can end it.
 */
const MOST_MILLISECONDS = 300_000;

/** The cases are the same in each run, so a failure comes from a change. `npm run long` draws new ones. */
const SEED = 2;

fc.configureGlobal({
  interruptAfterTimeLimit: MOST_MILLISECONDS,
  markInterruptAsFailure: true,
  ...(process.env.VMAREA_LONG === '1' ? {} : { seed: SEED }),
});
