import type { Console } from '@vmarea/cli';
import { chooseUsual, progress } from '@vmarea/cli';
import type { Configuration } from '@vmarea/core';
import { installedFormats } from '../formats.js';
import { thisMachine } from '../machine.js';
import { type ArenaArguments, planOf } from './arguments.js';
import { inChild } from './child.js';
import { arenaMarkdown, arenaReport } from './report.js';
import type { ArenaFormat, ArenaResult } from './result.js';
import { runFormat, stepsOf } from './run.js';
import { runArenaWorkers } from './workers/command.js';

/** Runs `vmarea-bench arena` and writes its result. */
export async function runArena(args: ArenaArguments, io: Console): Promise<void> {
  if (args.workers !== undefined) return runArenaWorkers(args, io);
  const plan = planOf(args);
  const installed = await installedFormats(io.cwd);
  const configurations = chooseUsual(installed, args.format);
  const { script } = io;
  // A process for each format, so that none runs code that V8 optimized for another.
  const isAlone = configurations.length === 1 || script === undefined;
  const bar = progress(io, configurations.length * (isAlone ? stepsOf(plan) : 1));
  const measure = async (configuration: Configuration): Promise<ArenaFormat> => {
    const { name } = configuration;
    if (isAlone) return runFormat(configuration, plan, () => bar.step(name));
    await bar.step(name);
    return inChild(script, io.cwd, name, plan);
  };
  const formats: ArenaFormat[] = [];
  try {
    for (const configuration of configurations) formats.push(await measure(configuration));
  } finally {
    bar.end();
  }
  const result: ArenaResult = {
    ...{ command: 'arena', schema: 1, machine: thisMachine() },
    ...plan,
    formats,
    warnings: installed.warnings,
  };
  if (args.json === true) io.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  else io.stdout.write(args.markdown === true ? arenaMarkdown(result) : arenaReport(result, io));
}
