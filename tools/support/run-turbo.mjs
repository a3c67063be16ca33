import { pnpm, root, run } from './run.mjs';

/**
 * Runs turbo. npx fetches the pnpm that package.json names, and `pnpm exec` installs what is missing or out of date.
 *
 * @param {string[]} args - for `turbo run`.
 * @param {'stdout' | 'stderr'} [to] - where all of it talks.
 * @returns {Promise<number>} the exit code.
 */
export function runTurbo(args, to = 'stdout') {
  const env = { TURBO_TELEMETRY_DISABLED: '1', ...process.env };
  return run('npx', pnpm('exec', 'turbo', 'run', ...args), {
    cwd: root,
    env,
    stdio: ['inherit', to === 'stderr' ? 2 : 'inherit', 'inherit'],
  });
}
