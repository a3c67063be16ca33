import { Readable } from 'node:stream';
import type { Console } from '@vmarea/cli';
import { run } from '../../src/run.js';

/** What a run wrote, but for plain lines of progress, and how it ended. */
export interface Captured {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the app's command line with its streams in memory. */
export async function capture(
  args: readonly string[],
  { stdin = '', tty = false, env = {} }: { stdin?: string; tty?: boolean; env?: Console['env'] } = {},
): Promise<Captured> {
  const out: string[] = [];
  const err: string[] = [];
  const sink = (parts: string[]) => ({
    isTTY: tty,
    write: (text: string | Uint8Array) =>
      parts.push(typeof text === 'string' ? text : new TextDecoder().decode(text)),
  });
  const code = await run(args, {
    stdin: Readable.from([Buffer.from(stdin)]),
    stdout: sink(out),
    stderr: sink(err),
    env,
    cwd: '/',
  });
  // How often a run tells how far it is depends on the machine.
  return { code, out: out.join(''), err: err.join('').replace(/^\d+% .*\n/gm, '') };
}

/** The rows that a command prints as JSON lines. */
export async function rowsOf(args: readonly string[]): Promise<Record<string, unknown>[]> {
  const { code, out, err } = await capture([...args, '--json']);
  if (code !== 0) throw new Error(err);
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}
