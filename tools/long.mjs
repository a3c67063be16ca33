// `npm run long -- [path...]`: all tests, or those of some paths, as they run over night: every case, and four times the random ones.
// `npm test` leaves cases out where others prove nearly the same. VMAREA_RUNS gives another factor.
import { root, run } from './support/run.mjs';

process.exitCode = await run(
  process.execPath,
  [`${root}node_modules/vitest/vitest.mjs`, 'run', ...process.argv.slice(2)],
  { cwd: root, env: { VMAREA_RUNS: '4', ...process.env, VMAREA_LONG: '1' } },
);
