import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { output, packageFile } from '../support/run.mjs';

/**
 * Writes the declarations of src/ and their maps, by which an editor goes from a name to its source. Only modules that index.ts
 * shows are kept: a package's users cannot reach the others.
 *
 * `isolatedDeclarations` holds in src/, so the compiler need not resolve imports. `npm run typecheck` checks types.
 *
 * @param {string} folder - where they go.
 * @param {string} copy - a folder inside it, which gets the same.
 */
export async function declarations(folder, copy) {
  const emit = ['--noEmit', 'false', '--emitDeclarationOnly', '--declarationMap', '--noResolve', '--noCheck'];
  const files = ['-p', 'tsconfig.json', '--rootDir', 'src', '--outDir', folder];
  await output(process.execPath, [packageFile('@typescript/native', 'bin/tsc'), ...emit, ...files]);
  const shown = reached(join(folder, 'index.d.ts'), new Set());
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const file = join(folder, name);
    if (!name.endsWith('.d.ts')) continue;
    if (shown.has(file)) {
      copyTo(join(copy, name), file);
    } else {
      rmSync(file);
      rmSync(`${file}.map`);
    }
  }
}

/**
 * A module and all modules of its package that it imports, and so on.
 *
 * @param {string} file
 * @param {Set<string>} found - takes them.
 */
function reached(file, found) {
  if (found.has(file)) return found;
  found.add(file);
  const imports = readFileSync(file, 'utf8').matchAll(/(?:from |import ?\(?)['"](\.[^'"]+)\.js['"]/g);
  for (const [, name] of imports) reached(join(dirname(file), `${name}.d.ts`), found);
  return found;
}

/**
 * @param {string} to
 * @param {string} from - a file of declarations.
 */
function copyTo(to, from) {
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, readFileSync(from));
  const map = JSON.parse(readFileSync(`${from}.map`, 'utf8'));
  const sources = map.sources.map((/** @type {string} */ source) =>
    relative(dirname(to), join(dirname(from), source)).replaceAll('\\', '/'),
  );
  writeFileSync(`${to}.map`, JSON.stringify({ ...map, sources }));
}
