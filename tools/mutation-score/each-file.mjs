// What Stryker's own setup leaves undone where the files of all runs share one worker.
import { afterAll, inject } from 'vitest';

/** @typedef {{ activeMutant?: string | undefined, mutantCoverage?: { perTest: Record<string, unknown> } }} Stryker */

const global = /** @type {{ __stryker__?: Stryker }} */ (globalThis);
global.__stryker__ ??= {};
const stryker = global.__stryker__;

// The last run's mutant would else act while this run's file is loaded. Stryker starts a mutant after that, unless it is static.
const activation = inject(/** @type {never} */ ('mutantActivation'));
if (activation !== 'static') stryker.activeMutant = undefined;

// Stryker counts how often each test reaches a mutant, and stops a mutant that is reached a hundred times as often: it loops.
// Without this each file reports the counts of all files before it.
// biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of the first argument
afterAll(({}, suite) => {
  const counts = stryker.mutantCoverage?.perTest ?? {};
  for (const test of Object.keys(counts)) {
    if (!test.startsWith(suite.file.filepath)) delete counts[test];
  }
});
