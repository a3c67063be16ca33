import { Readable } from 'node:stream';
import type { Console } from '@vmarea/cli';
import { run } from '../../src/run.js';

/** What a run wrote, but for plain lines of progress, and how it ended. */
export interface Captured {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Surroundings of a run in a test. */
export interface Surroundings {
  readonly stdin?: string | Uint8Array;
  readonly columns?: number;
  readonly tty?: boolean;
  readonly env?: Console['env'];
  readonly cwd?: string;
  /** The app's own file, for runs that start it again. */
  readonly script?: string;
}

/** Runs the app's command line with its streams in memory. */
export async function capture(args: readonly string[], surroundings: Surroundings = {}): Promise<Captured> {
  let out = '';
  let err = '';
  const { stdin = '', columns, tty = false, env = {}, cwd = '/', script } = surroundings;
  const sink = { isTTY: tty, ...(columns === undefined ? {} : { columns }) };
  const code = await run(args, {
    stdin: Readable.from([Buffer.from(stdin)]),
    stdout: { ...sink, write: (text) => (out += text) },
    stderr: { ...sink, write: (text) => (err += text) },
    env,
    cwd,
    ...(script === undefined ? {} : { script }),
  });
  // How often a run tells how far it is depends on the machine.
  return { code, out, err: err.replace(/^\d+% .*\n/gm, '') };
}
