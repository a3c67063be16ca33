import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { root, run } from './run.mjs';
import { temporaryFolder } from './temporary.mjs';

/**
 * Runs a program of this repository from sources, its own and those of all packages. Nothing has to be built, and Node
 * need not know TypeScript. The program has a process of its own, so that a signal ends it in the middle of a long call.
 *
 * @param {string} file - its path in the repository.
 * @param {string[]} args
 * @returns {Promise<number>} its exit code.
 */
export async function runSource(file, args) {
  const outfile = join(temporaryFolder('program'), 'program.mjs');
  const packages = readdirSync(join(root, 'packages'));
  const alias = packages.map((name) => [`@vmarea/${name}`, join(root, 'packages', name, 'src/index.ts')]);
  await build({
    ...{ entryPoints: [join(root, file)], outfile, alias: Object.fromEntries(alias), plugins: [ownUrls] },
    ...{ bundle: true, platform: 'node', format: 'esm', sourcemap: 'inline', logLevel: 'error' },
  });
  return run(process.execPath, ['--enable-source-maps', outfile, ...args]);
}

/**
 * A module in a bundle finds files beside its source, as by itself.
 *
 * @type {import('esbuild').Plugin}
 */
const ownUrls = {
  name: 'own URLs',
  setup(builder) {
    builder.onLoad({ filter: /\.(ts|mjs)$/ }, ({ path }) => {
      const url = JSON.stringify(pathToFileURL(path).href);
      const loader = path.endsWith('.ts') ? 'ts' : 'js';
      return { contents: readFileSync(path, 'utf8').replaceAll('import.meta.url', url), loader };
    });
  },
};
