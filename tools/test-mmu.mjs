// `npm run test:mmu`: builds vmarea-bench and compares every format with the MMU of QEMU. Options go to the last step.
import { root, run } from './support/run.mjs';
import { runTurbo } from './support/run-turbo.mjs';

const bench = `${root}apps/bench/dist/cli.js`;
const steps = [
  () => runTurbo(['build', '--filter=@vmarea/bench...'], 'stderr'),
  // The programs of guests and of the example are what their sources give.
  () => run(process.execPath, [`${root}apps/bench/stubs/build.mjs`, '--check']),
  () => run(process.execPath, [`${root}examples/rv64/build.mjs`, '--check']),
  // A fault that is planted in a format must be found.
  () => run(process.execPath, [bench, 'mmu', '--planted']),
  () => run(process.execPath, [bench, 'mmu', ...process.argv.slice(2)]),
];
for (const step of steps) {
  process.exitCode = await step();
  if (process.exitCode !== 0) break;
}
