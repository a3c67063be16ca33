// `npm run example [NAME]` on a machine that has nothing but Node and npm. `pnpm exec` installs what is missing or out of date and
// says so on standard error, so that standard output holds what the example prints and nothing else.
import { pnpm, root, run } from './support/run.mjs';

const args = ['exec', 'node', 'tools/example/run.mjs', ...process.argv.slice(2)];
process.exitCode = await run('npx', pnpm(...args), { cwd: root });
