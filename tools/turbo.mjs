// node tools/turbo.mjs TASK... [OPTION...]: `turbo run` on a machine that has nothing but Node and npm.
// npx fetches the pnpm that package.json names, and `pnpm exec` installs what is missing or out of date.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const { packageManager } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const { status } = spawnSync(
  'npx',
  ['--yes', '--prefer-offline', packageManager, 'exec', 'turbo', 'run', ...process.argv.slice(2)],
  {
    stdio: 'inherit',
    shell: process.platform === 'win32', // npx is a script there
    env: { TURBO_TELEMETRY_DISABLED: '1', ...process.env },
  },
);
process.exitCode = status ?? 1;
