// Layer rules that `turbo boundaries` cannot see:
// - which folder ("room") of packages/core/src may import which other;
// - the sources of a package import only what its `dependencies` name, never a devDependency;
// - no import cycle inside a package (turbo refuses cycles of packages).
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { cruise } from 'dependency-cruiser';

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

const root = fileURLToPath(new URL('..', import.meta.url));
const core = '^packages/core/src/';
const anyOf = (/** @type {string[]} */ names) => `(${names.join('|')})/`;

const roomRules = Object.entries(rooms).flatMap(([name, { all, types = [] }]) => [
  {
    name: `${name} may import ${[...all, ...types.map((type) => `types of ${type}`)].join(', ') || 'no room'}`,
    from: { path: `${core}${name}/` },
    to: { path: `${core}[^/]+/`, pathNot: core + anyOf([name, ...all, ...types]) },
  },
  {
    name: `${name} may import types only from ${types.join(', ')}`,
    from: { path: `${core}${name}/` },
    to: { path: core + anyOf(types), dependencyTypesNot: ['type-only', 'type-import'] },
  },
]);

/** @type {import('dependency-cruiser').IForbiddenRuleType[]} */
const forbidden = [
  ...roomRules.filter(({ to }) => !to.path.endsWith('()/')),
  {
    name: 'unknown room: say in tools/layers.mjs what it may import',
    from: { path: `${core}[^/]+/`, pathNot: core + anyOf(Object.keys(rooms)) },
    to: {},
  },
  {
    name: 'a helper in src/ imports no room',
    from: { path: `${core}[^/]+$`, pathNot: `${core}index\\.ts$` },
    to: { path: `${core}[^/]+/` },
  },
  { name: 'nothing inside core imports its index', from: { path: core }, to: { path: `${core}index\\.ts$` } },
  {
    name: "not one of the package's dependencies",
    from: { path: '/src/' },
    to: { dependencyTypesNot: ['local', 'core', 'npm'] },
  },
  { name: 'not found', from: {}, to: { couldNotResolve: true } },
  { name: 'import cycle', from: {}, to: { circular: true } },
];

const sources = ['packages', 'apps'].flatMap((group) =>
  readdirSync(`${root}${group}`)
    .map((folder) => `${group}/${folder}/src`)
    .filter((folder) => existsSync(root + folder)),
);
const { output } = await cruise(
  sources,
  {
    baseDir: root,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: [] },
    validate: true,
    ruleSet: { forbidden: forbidden.map((rule) => ({ ...rule, severity: 'error' })) },
    tsPreCompilationDeps: true,
    // A workspace package stays under node_modules, where its kind of dependency can be told.
    preserveSymlinks: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['@vmarea/source', 'import', 'node', 'default'],
      extensions: ['.ts', '.mjs', '.cjs', '.js', '.json'],
    },
  },
);
if (typeof output === 'string') throw new Error(output);

for (const { from, to, rule, cycle } of output.summary.violations) {
  const path = cycle?.map(({ name }) => name).join(' -> ') ?? to;
  console.error(`${from} -> ${path}: ${rule.name}`);
}
// Without a TypeScript that it can use, dependency-cruiser passes over every file in silence.
const unseen = sources.filter((folder) => !output.modules.some(({ source }) => source.startsWith(`${folder}/`)));
for (const folder of unseen) console.error(`${folder}: no source file was read`);
const problems = output.summary.violations.length + unseen.length;
console.log(`layers: ${output.modules.filter(({ source }) => sources.some((f) => source.startsWith(`${f}/`))).length} source files checked, ${problems} problems`);
process.exitCode = problems > 0 || sources.length === 0 ? 1 : 0;
