import { type Console, type Program, runProgram, versionIn } from '@vmarea/cli';
import { appRoot } from './app-root.js';
import { completionOf } from './commands/completion.js';
import { diff } from './commands/diff.js';
import { exportTables } from './commands/export.js';
import { find } from './commands/find.js';
import { info } from './commands/info.js';
import { dump, leaves } from './commands/lists.js';
import { processes } from './commands/processes.js';
import { stats } from './commands/stats.js';
import { translate } from './commands/translate.js';
import { walk } from './commands/walk.js';

const COMMANDS: Program['commands'] = {
  ...{ info, walk, translate, leaves, dump, find, diff, stats, processes },
  export: exportTables,
};

const PROGRAM: Program = {
  name: 'vmarea-inspect',
  version: versionIn(appRoot()),
  description: 'Look at the page tables in a memory dump',
  commands: { ...COMMANDS, completion: completionOf('vmarea-inspect', COMMANDS) },
};

/** Runs the command line and returns its exit code; see `runProgram`. */
export function run(rawArgs: readonly string[], io: Console): Promise<number> {
  return runProgram(PROGRAM, rawArgs, io);
}
