// The explorer in a browser: for its tests, its speed and its pictures.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './run.mjs';

const folder = join(root, 'apps/explorer');

/** Chromium: the one that VMAREA_CHROMIUM names, else the system's; `undefined` where there is none. */
const chromium = [
  process.env.VMAREA_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => path !== undefined && existsSync(path));

/**
 * Ends this tool where there is no Chromium: with an error where VMAREA_BROWSER=required.
 *
 * @param {string} tool - its name, for the message.
 * @returns {string} the browser.
 */
export function requiredChromium(tool) {
  if (chromium !== undefined) return chromium;
  console.log(`${tool}: no Chromium here (apt-get install chromium, or name one by VMAREA_CHROMIUM)`);
  process.exit(process.env.VMAREA_BROWSER === 'required' ? 1 : 0);
}

/**
 * Builds the explorer, and runs tests of it.
 *
 * @param {string} browser
 * @param {'browser' | 'speed' | 'screenshots'} kind - of its files `test/…/*.KIND.ts`.
 * @param {string[]} [args] - of vitest.
 * @returns {Promise<number>} its exit code.
 */
export async function runInExplorer(browser, kind, args = []) {
  const options = {
    cwd: folder,
    env: { ...process.env, VMAREA_CHROMIUM: browser, VMAREA_EXPLORER: kind },
  };
  const code = await run(join(folder, 'node_modules/.bin/vite'), ['build', '--logLevel', 'warn'], options);
  if (code !== 0) return code;
  const vitest = ['run', '--config', 'vitest.browser.config.ts', ...args];
  return run(join(root, 'node_modules/.bin/vitest'), vitest, options);
}
