// Builds the package of the current folder into its dist/, which is emptied first. What is built depends on the package's files.
//
// src/index.ts is a library:
//   dist/index.js       ES module, with the declarations of all modules that it shows
//   dist/cjs/index.js   the same for CommonJS. The package.json beside it says so, to Node and to TypeScript
// src/cli.ts is a command:
//   dist/cli.js         ES module for Node
//
// Everything has a source map. Maps name the files of src/, which the package ships, and hold no copy of them. Sources of a private package that
// a command takes in are in dist/sources.
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as esbuild from 'esbuild';
import { declarations } from './declarations.mjs';

/** Dependencies stay outside. A private package of this repository is none, so it becomes a part of the build. */
const { dependencies = {} } = JSON.parse(readFileSync('package.json', 'utf8'));
const external = Object.keys(dependencies).flatMap((name) => [name, `${name}/*`]);

rmSync('dist', { recursive: true, force: true });
if (existsSync('src/index.ts')) {
  mkdirSync('dist/cjs', { recursive: true });
  writeFileSync('dist/cjs/package.json', '{ "type": "commonjs", "sideEffects": false }\n');
  await Promise.all([
    javascript('src/index.ts', { outfile: 'dist/index.js', format: 'esm', platform: 'neutral' }),
    javascript('src/index.ts', { outfile: 'dist/cjs/index.js', format: 'cjs', platform: 'neutral' }),
    declarations('dist', 'dist/cjs'),
  ]);
}
if (existsSync('src/cli.ts')) {
  await javascript('src/cli.ts', { outfile: 'dist/cli.js', format: 'esm', platform: 'node' });
  chmodSync('dist/cli.js', 0o755);
  shipSources('dist/cli.js.map');
}

/**
 * Copies sources of private packages into dist/sources, where a map finds them: no package of npm has them.
 *
 * @param {string} file - the map.
 */
function shipSources(file) {
  const map = JSON.parse(readFileSync(file, 'utf8'));
  map.sources = map.sources.map((/** @type {string} */ source) => {
    const inside = /^(?:\.\.\/)+packages\/([^/]+)\/src\/(.*)$/.exec(source);
    if (inside === null) return source;
    const copy = `sources/${inside[1]}/${inside[2]}`;
    mkdirSync(dirname(`dist/${copy}`), { recursive: true });
    copyFileSync(join('dist', source), `dist/${copy}`);
    return copy;
  });
  writeFileSync(file, JSON.stringify(map));
}

/**
 * @param {string} entry
 * @param {esbuild.BuildOptions} options
 */
function javascript(entry, options) {
  return esbuild.build({
    ...{ entryPoints: [entry], bundle: true, external, target: 'es2023' },
    ...{ sourcemap: true, sourcesContent: false, logLevel: 'warning' },
    // Without this, a bundler of a user keeps every frozen constant, wanted or not.
    pure: ['Object.freeze', 'Object.keys', 'Array.from'],
    ...options,
  });
}
