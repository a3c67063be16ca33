// `npm run threads -- [operations] [kills] [seed]`: the stress tests of threads, longer than `npm test` runs them, and the
// interleavings of many steps. A failure of a stress test names its seed; the threads' order is not repeated by it, but their
// operations are.
import { root, run } from './support/run.mjs';

const [operations = '10000000', kills = '2000', seed = String(Date.now() % 2 ** 31)] = process.argv.slice(2);
/** With few operations it is a try, and the interleavings are left out. */
const isLong = Number(operations) >= 1_000_000;
const given = {
  ...{ VMAREA_OPERATIONS: operations, VMAREA_KILLS: kills, VMAREA_SEED: seed },
  ...(isLong ? { VMAREA_LONG: '1' } : {}),
};
process.exitCode = await run(
  process.execPath,
  [
    ...[`${root}node_modules/vitest/vitest.mjs`, 'run', '--no-file-parallelism'],
    ...['--project', '@vmarea/core', '--project', 'repository', 'threads/stress/'],
    ...(isLong ? ['threads/explorer/'] : []),
  ],
  { cwd: root, env: { ...process.env, ...given } },
);
