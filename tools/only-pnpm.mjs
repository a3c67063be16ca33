// Runs before the repository is installed. Another package manager would not link the packages to each other, and the failure
// would appear much later.
import { readFileSync } from 'node:fs';

const { packageManager } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const agent = process.env.npm_config_user_agent ?? '';
if (!agent.startsWith('pnpm/')) {
  console.error(
    [
      'Only pnpm can install this repository, and you need not install anything by hand:',
      '  npm start   installs everything and runs the main command',
      '  npm test    installs everything and runs every check',
      `To install only: npx --yes ${packageManager} install`,
    ].join('\n'),
  );
  process.exit(1);
}
