import type { Configuration } from '@vmarea/core';
import type { Console } from '../console.js';
import { CheckError, EXIT_INTERNAL, ExitError, UsageError } from '../errors.js';
import { installedFormats } from '../formats.js';
import { outputOf } from '../process/output.js';
import type { Job, Measured, Runner } from './job.js';
import { runJob } from './run-job.js';

/** The command by which this app starts itself for one job; its argument is the job as JSON. Not for people. */
export const JOB_COMMAND = 'speed-job';

/** What a child prints: one line. */
type Answer =
  | { readonly measured: readonly Measured[] }
  | { readonly failed: { readonly message: string; readonly exitCode: number } };

/** Runs jobs here, one after another. */
export function inProcess(configurations: readonly Configuration[]): Runner {
  return {
    run(job) {
      const configuration = configurations.find(({ name }) => name === job.configuration);
      if (configuration === undefined) throw new Error(`no configuration ${job.configuration}`);
      return runJob(job, configuration);
    },
  };
}

/**
 * Runs each job in a fresh process: what the compiler learned from one variant is not there for the next.
 *
 * @param script - the app's own file, for Node.
 * @param cwd - where the formats are looked for.
 */
export function spawning(script: string, cwd: string): Runner {
  return {
    async run(job) {
      const args = [...process.execArgv, script, JOB_COMMAND, JSON.stringify(job)];
      const answer = JSON.parse(await outputOf(process.execPath, args, { cwd })) as Answer;
      if ('measured' in answer) return answer.measured;
      const { message, exitCode } = answer.failed;
      throw exitCode === EXIT_INTERNAL ? new CheckError(message) : new UsageError(message);
    },
  };
}

/** Runs one job and prints the answer: what a child does. */
export async function answerJob(argument: string, io: Console): Promise<void> {
  if (!argument.startsWith('{')) {
    throw new UsageError(`${JOB_COMMAND} is how speed starts itself; to measure, run: vmarea-bench speed`);
  }
  const job = JSON.parse(argument) as Job;
  let answer: Answer;
  try {
    const { configurations } = await installedFormats(io.cwd);
    answer = { measured: await inProcess(configurations).run(job) };
  } catch (error) {
    if (!(error instanceof ExitError)) throw error;
    answer = { failed: { message: error.message, exitCode: error.exitCode } };
  }
  io.stdout.write(`${JSON.stringify(answer)}\n`);
}
