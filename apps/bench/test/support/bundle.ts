import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buildSync } from 'esbuild';
import { pathOf } from './files.js';

/** The app as a user installs it, made from its sources: tests of real processes need no build, and start fast. */
export interface Bundle {
  /** The command. */
  readonly cli: string;
  /** The program in holder.ts. */
  readonly holder: string;
  remove(): void;
}

interface Manifest {
  readonly name: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly exports: { readonly '.': Readonly<Record<string, string>> };
}

const manifestOf = (file: string): Manifest => JSON.parse(readFileSync(file, 'utf8')) as Manifest;

/** Bundles the app and its formats into a temporary folder. */
export function bundleApp(): Bundle {
  const folder = mkdtempSync(join(tmpdir(), 'vmarea-app-'));
  const app = manifestOf(pathOf('package.json'));
  const require = createRequire(pathOf('package.json'));
  const formats = Object.keys(app.dependencies).filter((name) =>
    /^@vmarea\/(?!(?:arena|core|ebpf|mmu)$)/.test(name),
  );
  const entryPoints: Record<string, string> = {
    cli: pathOf('src/cli.ts'),
    holder: pathOf('test/support/holder.ts'),
  };
  for (const name of formats) {
    const file = require.resolve(`${name}/package.json`);
    entryPoints[name] = join(dirname(file), manifestOf(file).exports['.']['@vmarea/source'] ?? '');
    const place = join(folder, 'node_modules', name);
    mkdirSync(place, { recursive: true });
    const manifest = { name, type: 'module', keywords: ['vmarea-format'], exports: './index.js' };
    writeFileSync(join(place, 'package.json'), JSON.stringify(manifest));
    writeFileSync(join(place, 'index.js'), `export * from '../../../out/${name}.js';\n`);
  }
  buildSync({
    entryPoints,
    outdir: join(folder, 'out'),
    // The command and the formats share one core.
    ...{ bundle: true, splitting: true, format: 'esm', platform: 'node', target: 'node20' },
    conditions: ['@vmarea/source'],
    banner: {
      js: "import { createRequire as vmareaTest } from 'node:module';\nconst require = vmareaTest(import.meta.url);",
    },
    logLevel: 'error',
  });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...app, type: 'module' }));
  for (const name of ['data', 'reference', 'stubs', 'traces']) symlinkSync(pathOf(name), join(folder, name));
  return {
    cli: join(folder, 'out/cli.js'),
    holder: join(folder, 'out/holder.js'),
    remove: () => rmSync(folder, { recursive: true }),
  };
}
