// node tools/start.mjs APP [COMMAND] [OPTION...]: builds an app, bench or inspect, and runs its command. The build talks on standard
// error, so that standard output holds what the command prints and nothing else.
import { root, run } from './support/run.mjs';
import { runTurbo } from './support/run-turbo.mjs';

const [app = 'bench', ...args] = process.argv.slice(2);
const built = await runTurbo(['build', `--filter=@vmarea/${app}...`], 'stderr');
process.exitCode =
  built === 0 ? await run(process.execPath, [`${root}apps/${app}/dist/cli.js`, ...args]) : built;
