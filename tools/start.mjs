// node tools/start.mjs COMMAND [OPTION...]: builds vmarea-bench and runs it. The build talks on standard error, so that standard
// output holds what the command prints and nothing else.
import { root, run } from './support/run.mjs';
import { runTurbo } from './support/run-turbo.mjs';

const built = await runTurbo(['build', '--filter=@vmarea/bench...'], 'stderr');
process.exitCode =
  built === 0
    ? await run(process.execPath, [`${root}apps/bench/dist/cli.js`, ...process.argv.slice(2)])
    : built;
