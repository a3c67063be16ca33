import type { Console } from '@vmarea/cli';
import { CheckError, EXIT_INTERNAL, ExitError, outputOf, UsageError } from '@vmarea/cli';
import type { Configuration } from '@vmarea/core';
import { installedFormats } from '../formats.js';
import type { Job, Measured, Runner } from './job.js';
import { runJob } from './run-job.js';

/** The command with which this app starts itself for one job. Its argument is the job as JSON. */
export const JOB_COMMAND = 'speed-job';

/** The line that a child prints. */
type Answer =
  | { readonly measured: readonly Measured[] }
  | { readonly failed: { readonly message: string; readonly exitCode: number } };

/** Runs jobs in this process. */
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
 * Runs each job in a new process, so that no column runs code that V8 optimized for another.
 *
 * @param script - the app's own file, for Node.
 * @param cwd - the folder whose package.json may name formats.
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

/** Runs one job and prints the answer, in a child. */
export async function answerJob(argument: string, io: Console): Promise<void> {
  if (!argument.startsWith('{')) {
    throw new UsageError(
      `${JOB_COMMAND} is an internal command of speed; to measure, run: vmarea-bench speed`,
    );
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
