import { fuzzBases } from './bases.js';
import { fuzz } from './fuzz.js';

/** Changed files of each container: `npm run fuzz:dumps -- [files of each] [seed] [name]`. */
const [files = '100000', seed = '1', only = ''] = process.argv.slice(2);
/** Files between two looks at the memory, and the most that may be resident, in bytes. */
const PART = 1_000;
const MOST_RESIDENT = 2 ** 30;

let most = 0;
for (const base of fuzzBases().filter(({ name }) => name.includes(only))) {
  const begin = performance.now();
  const totals = { refused: 0, opened: 0, errors: 0, believed: 0, mostReads: 0, mostBytes: 0 };
  for (let done = 0; done < Number(files); done += PART) {
    const report = fuzz(base, Math.min(PART, Number(files) - done), Number(seed) + done);
    for (const name of ['refused', 'opened', 'errors', 'believed'] as const) totals[name] += report[name];
    totals.mostReads = Math.max(totals.mostReads, report.mostReads);
    totals.mostBytes = Math.max(totals.mostBytes, report.mostBytes);
    most = Math.max(most, process.memoryUsage.rss());
    if (most > MOST_RESIDENT)
      throw new Error(`${base.name}: ${most} bytes are resident, seed ${Number(seed) + done}`);
  }
  const seconds = ((performance.now() - begin) / 1000).toFixed(0);
  console.log(`${base.name}: ${files} files, ${JSON.stringify(totals)}, ${seconds} s`);
}
console.log(`at most ${(most / 2 ** 20).toFixed(0)} MiB resident`);
