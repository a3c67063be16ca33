import { spawn } from 'node:child_process';
import type { Configuration } from '@vmarea/core';
import type { Console } from '../console.js';
import { CheckError, EXIT_INTERNAL, ExitError, UsageError } from '../errors.js';
import { installedFormats } from '../formats.js';
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
      const answer = JSON.parse(await outputOf(process.execPath, args, cwd)) as Answer;
      if ('measured' in answer) return answer.measured;
      const { message, exitCode } = answer.failed;
      throw exitCode === EXIT_INTERNAL ? new CheckError(message) : new UsageError(message);
    },
  };
}

/** Runs one job and prints the answer: what a child does. */
export async function answerJob(argument: string, io: Console): Promise<void> {
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

/**
 * Standard output of a process.
 *
 * @throws Error when it cannot be started or ends with another code than 0; the message is what it wrote to standard
 *   error.
 */
export function outputOf(command: string, args: readonly string[], cwd?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    const stop = (): boolean => child.kill();
    process.once('exit', stop);
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    child.on('error', (error) => {
      process.off('exit', stop);
      reject(error);
    });
    child.on('close', (code, signal) => {
      process.off('exit', stop);
      if (code === 0) resolve(out);
      else reject(new Error(err.trim() || `${command} ended with ${signal ?? `code ${code}`}`));
    });
  });
}
