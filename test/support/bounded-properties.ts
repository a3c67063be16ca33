import fc from 'fast-check';

/**
 * Ends a property that takes this long: a case that failed is shrunk no further, and one that still runs
 * fails. Shrinking never returns to the event loop, so no time limit of a test can end it.
 */
fc.configureGlobal({ interruptAfterTimeLimit: 100_000, markInterruptAsFailure: true });
