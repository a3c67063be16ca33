import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const guard = fileURLToPath(new URL('../../tools/only-pnpm.mjs', import.meta.url));

/** Runs the guard as a package manager does before it installs. */
function installedBy(agent: string) {
  const env = { ...process.env, npm_config_user_agent: agent };
  return spawnSync(process.execPath, [guard], { encoding: 'utf8', env });
}

test('pnpm may install the repository', () => {
  expect(installedBy('pnpm/12.21.0 npm/? node/v20.20.2 linux x64')).toMatchObject({ status: 0, stderr: '' });
});

test.each(['npm/10.8.2 node/v20.20.2', 'yarn/1.22.22 npm/? node/v20.20.2', ''])('"%s" may not', (agent) => {
  const { status, stderr } = installedBy(agent);
  expect(status).toBe(1);
  expect(stderr).toContain('npm test    installs everything and runs every check');
});
