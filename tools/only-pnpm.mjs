// Runs before an install of the repository. Another package manager would make a tree without the
// links between the packages, and the failure would show up much later.
import { readFileSync } from 'node:fs';

const { packageManager } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const agent = process.env.npm_config_user_agent ?? '';
if (!agent.startsWith('pnpm/')) {
  console.error(
    [
      'This repository is installed with pnpm only, and you need not install anything by hand:',
      '  npm start   sets everything up and runs the main command',
      '  npm test    sets everything up and runs every check',
      `To install without running anything: npx --yes ${packageManager} install`,
    ].join('\n'),
  );
  process.exit(1);
}
