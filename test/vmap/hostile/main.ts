import { printed } from './print.js';
import { runHostile } from './run.js';

/** Configurations with different levels, page sizes, runs and rules; each gets its part of the calls. */
const NAMES = ['x86-64', 'x86-64-la57', 'arm64-4k-48-cont', 'arm64-16k-47-cont', 'riscv64-sv48-napot'];

const [calls = '1000000', seed = '1'] = process.argv.slice(2);
const begin = performance.now();
const totals = new Map<string, number>();
const add = (what: string, count: number) => totals.set(what, (totals.get(what) ?? 0) + count);
for (const name of NAMES) {
  const report = runHostile(name, {
    calls: Math.ceil(Number(calls) / NAMES.length),
    seed: Number(seed),
    walkEvery: 1,
  });
  console.log(printed(name, report));
  add('calls', report.calls);
  add('successes', report.successes);
  for (const [code, count] of report.refusals) add(code, count);
}
// A run that finds an escape throws it.
console.log(`seed ${seed}: ${[...totals].map(([what, count]) => `${what} ${count}`).join(', ')}, escapes 0`);
console.log(`${((performance.now() - begin) / 1000).toFixed(0)} s`);
