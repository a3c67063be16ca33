// Layer rules that `turbo boundaries` cannot see:
// - which folder ("room") of packages/core/src may import which other;
// - the sources of a published package import only what its `dependencies` name, never a devDependency.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * For each room of core, the rooms it may import. `types` rooms may be imported with `import type` only.
 * Files directly in src/ are helpers of all rooms, except index.ts; they import no room.
 * @type {Record<string, { all: string[], types?: string[] }>}
 */
const rooms = {
  memory: { all: [] },
  format: { all: [] },
  table: { all: ['memory', 'format'] },
  area: { all: [], types: ['memory', 'format', 'table'] },
  space: { all: ['memory', 'format', 'table', 'area'] },
  vmap: { all: ['memory', 'format', 'table', 'area', 'space'] },
};

/** @type {string[]} */
const problems = [];
let checked = 0;

for (const group of ['packages', 'apps']) {
  for (const folder of readdirSync(join(root, group))) {
    const home = join(root, group, folder);
    const manifest = readManifest(home);
    if (!manifest || manifest.private) continue;
    for (const file of sourceFiles(join(home, 'src'))) {
      checked++;
      for (const { specifier, typeOnly, line } of imports(file)) {
        const fault = specifier.startsWith('.')
          ? manifest.name === '@vmarea/core' && roomFault(join(home, 'src'), file, specifier, typeOnly)
          : dependencyFault(manifest, specifier);
        if (fault) problems.push(`${relative(root, file)}:${line}: ${fault}`);
      }
    }
  }
}

for (const problem of problems) console.error(problem);
console.log(`layers: ${checked} source files checked, ${problems.length} problems`);
process.exitCode = problems.length > 0 ? 1 : 0;

/**
 * @param {string} src
 * @param {string} file
 * @param {string} specifier
 * @param {boolean} typeOnly
 */
function roomFault(src, file, specifier, typeOnly) {
  const from = room(src, file);
  const target = resolve(dirname(file), specifier);
  const to = room(src, target);
  if (to === from && from !== '') return null;
  if (target === join(src, 'index.js')) return 'nothing inside core imports its index';
  if (to === '' || file === join(src, 'index.ts')) return null;
  if (from === '') return `a helper in src/ imports no room, here ${to}`;
  const rule = rooms[from];
  if (!rule) return `unknown room ${from}: say in tools/layers.mjs what it may import`;
  if (rule.all.includes(to)) return null;
  if (rule.types?.includes(to)) return typeOnly ? null : `${from} may import types only from ${to}`;
  return `${from} may not import ${to}`;
}

/**
 * The room of a file: the first folder under src, or '' for a file directly in src.
 * @param {string} src
 * @param {string} file
 */
function room(src, file) {
  const parts = relative(src, file).split(sep);
  return parts.length > 1 ? String(parts[0]) : '';
}

/**
 * @param {{ dependencies?: Record<string, string> }} manifest
 * @param {string} specifier
 */
function dependencyFault(manifest, specifier) {
  if (specifier.startsWith('node:')) return null; // the compiler refuses these where Node's types are not allowed
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  return manifest.dependencies?.[name] ? null : `${name} is not one of the package's dependencies`;
}

/**
 * Every static and dynamic import of a file, with its 1-based line.
 * @param {string} file
 */
function imports(file) {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, false);
  /** @type {{ specifier: string, typeOnly: boolean, line: number }[]} */
  const found = [];
  /** @param {ts.Node | undefined} literal @param {boolean} typeOnly */
  const add = (literal, typeOnly) => {
    if (!literal || !ts.isStringLiteral(literal)) return;
    const { line } = source.getLineAndCharacterOfPosition(literal.getStart(source));
    found.push({ specifier: literal.text, typeOnly, line: line + 1 });
  };
  /** @param {ts.Node} node */
  const visit = (node) => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node.importClause?.isTypeOnly ?? false);
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
      add(node.argument.literal, true);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], false);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** @param {string} folder @returns {string[]} */
function sourceFiles(folder) {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(folder, file));
}

/** @param {string} home */
function readManifest(home) {
  try {
    return JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
  } catch {
    return null;
  }
}
