import { CheckError, outputOf } from '@vmarea/cli';
import type { ArenaFormat, ArenaResult, Plan } from './result.js';

/**
 * Measures one format in a new process, by this command itself.
 *
 * @param script - the app's own file, for Node.
 * @param cwd - the folder whose package.json may name formats.
 * @throws CheckError with the message of the process when it fails: its arguments are checked already.
 */
export async function inChild(script: string, cwd: string, format: string, plan: Plan): Promise<ArenaFormat> {
  const { seed, repeat, warmUpMs, quick } = plan;
  const options = [`--format=${format}`, `--seed=${seed}`, `--repeat=${repeat}`, `--warm-up=${warmUpMs}`];
  const args = [...process.execArgv, script, 'arena', '--json', ...options, ...(quick ? ['--quick'] : [])];
  let text: string;
  try {
    text = await outputOf(process.execPath, args, { cwd });
  } catch (error) {
    throw new CheckError((error as Error).message.replace(/^vmarea-bench: /, ''));
  }
  return (JSON.parse(text) as ArenaResult).formats[0] as ArenaFormat;
}
