// Hostile calls in great numbers: `npm run hostile -- [calls] [seed]`. The test of them in `npm test` makes few.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'vmarea-hostile-'));
try {
  const outfile = join(folder, 'main.mjs');
  // From sources, in one file: what the tests of the repository do by an alias.
  const alias = Object.fromEntries(
    readdirSync(join(root, 'packages')).map((name) => [
      `@vmarea/${name}`,
      join(root, 'packages', name, 'src', 'index.ts'),
    ]),
  );
  await build({
    ...{ entryPoints: [join(root, 'test/vmap/hostile/main.ts')], outfile, alias },
    ...{ bundle: true, platform: 'node', format: 'esm', sourcemap: 'inline', logLevel: 'error' },
  });
  process.setSourceMapsEnabled(true);
  await import(pathToFileURL(outfile).href);
} finally {
  rmSync(folder, { recursive: true });
}
