// Stryker counts how often each test reaches a mutant, and stops a mutant that is reached a hundred times as often: it loops.
// The files of one worker share these counts, so without this each file reports those of all files before it.
import { afterAll } from 'vitest';

/** @typedef {{ mutantCoverage?: { perTest: Record<string, unknown> } }} Counts */

// biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of the first argument
afterAll(({}, suite) => {
  const { __stryker__: stryker } = /** @type {{ __stryker__?: Counts }} */ (globalThis);
  const counts = stryker?.mutantCoverage?.perTest ?? {};
  for (const test of Object.keys(counts)) {
    if (!test.startsWith(suite.file.filepath)) delete counts[test];
  }
});
