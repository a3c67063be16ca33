// Stryker runs this in the copy when its mutants are in place: bundles the tests of a room with all that they import. A mutant
// then costs half a second less, since each run of the tests loads every module anew.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { bundles, rooms } from './rooms.mjs';

const room = rooms[/** @type {keyof typeof rooms} */ (process.env.VMAREA_ROOM)];
const fewer = fileURLToPath(new URL('fast-check.mjs', import.meta.url));
const tests = room.tests
  .flatMap((one) => (one.endsWith('.ts') ? [one] : filesIn(one)))
  .filter((file) => file.endsWith('.test.ts') && !room.without.includes(file));
await build({
  entryPoints: tests,
  outdir: bundles,
  outbase: '.',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  conditions: ['@vmarea/source'],
  external: ['vitest'],
  define: { 'process.env.VMAREA_SHARE_OF_RUNS': `'${room.shareOfRuns}'` },
  plugins: [
    {
      name: 'fewer-runs',
      setup({ onResolve }) {
        onResolve({ filter: /^fast-check$/ }, ({ importer }) =>
          importer === fewer ? undefined : { path: fewer },
        );
      },
    },
  ],
  logLevel: 'warning',
});

/** @param {string} folder */
function filesIn(folder) {
  return readdirSync(folder, { recursive: true }).map((file) => join(folder, String(file)));
}
