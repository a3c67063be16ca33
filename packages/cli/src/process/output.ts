import { startChild } from './children.js';

/**
 * Runs a program and returns what it writes to standard output.
 *
 * @throws Error when the program does not exist or ends with a code other than 0. The message is its standard error.
 */
export async function outputOf(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  const child = startChild(command, args, options);
  let out = '';
  let err = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const { code, signal, problem } = await child.ended;
  if (code === 0) return out;
  throw new Error(problem ?? (err.trim() || `${command} ended with ${signal ?? `code ${code}`}`));
}
