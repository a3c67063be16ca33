import { expect, test } from 'vitest';
import { runHostile } from './hostile/run.js';

/** Set to make more calls, or those of one seed: see CONTRIBUTING.md. */
const { VMAREA_CALLS, VMAREA_SEED } = process.env;
const calls = Number(VMAREA_CALLS ?? 20_000);
const seed = Number(VMAREA_SEED ?? 1);

test.each(['x86-64', 'arm64-16k-47-cont', 'riscv64-sv39-napot'])(
  'hostile calls on %s write nothing outside a live area',
  (name) => {
    const report = runHostile(name, { calls, seed, walkEvery: 10 });
    console.log(name, report.successes, report.nested, report.hashes, [...report.refusals], report.byCall);
    expect(report.successes).toBeGreaterThan(calls / 5);
  },
  600_000,
);
