// Checks the layer rules that `turbo boundaries` cannot see, with dependency-cruiser:
// - A folder ("room") of packages/core/src imports only the rooms below it.
// - The sources of a package import only what its `dependencies` name, never a devDependency.
// - A published package depends on published packages of this repository alone, and core on none. `image` has decompressors, too.
// - No import cycle inside a package. Turbo finds cycles between packages.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cruise } from 'dependency-cruiser';

/**
 * For each room of core, the rooms that it may import. From the rooms in `types` it may import types only.
 * Files directly in src/ are helpers of all rooms and import no room. Only index.ts imports rooms.
 * @type {Record<string, { all: string[], types?: string[] }>}
 */
const rooms = {
  check: { all: [] },
  threads: { all: ['check'] },
  loops: { all: [], types: ['format'] },
  memory: { all: ['loops', 'threads', 'check'] },
  format: { all: ['check'] },
  table: { all: ['loops', 'memory', 'format', 'threads', 'check'] },
  area: { all: ['check'], types: ['table'] },
  space: { all: ['memory', 'format', 'table', 'threads', 'check'] },
  vmap: { all: ['memory', 'format', 'table', 'area', 'space', 'threads', 'check'] },
  process: { all: ['memory', 'format', 'table', 'space', 'threads', 'check'] },
  sharing: {
    all: ['memory', 'format', 'table', 'area', 'space', 'vmap', 'process', 'threads', 'loops', 'check'],
  },
};

/** What the parts of `table` may import of each other. */
const tableParts = {
  state: { all: [], types: ['walk'] },
  walk: { all: ['state'] },
  show: { all: ['walk', 'state'] },
  check: { all: ['walk', 'state'] },
  change: { all: ['walk', 'state'] },
  shared: { all: ['change', 'walk', 'state'] },
};

/** What the parts of `vmap` may import of each other. All of them use its `kernel-space.ts`, `flags.ts` and `options.ts`. */
const vmapParts = {
  areas: { all: [] },
  permissions: { all: ['areas'] },
  pages: { all: ['areas', 'permissions'] },
  devices: { all: ['areas', 'pages'] },
  vmalloc: { all: ['areas', 'pages', 'permissions'] },
  lazy: { all: ['areas'] },
  shared: { all: ['areas', 'permissions', 'lazy'] },
};

/** What the parts of `packages/mmu` may import of each other. */
const mmuParts = {
  processor: { all: [] },
  tlb: { all: [] },
  sanitizer: { all: [] },
};

/** What the parts of `packages/arena` may import of each other. */
const arenaParts = {
  slots: { all: [] },
  kernel: { all: ['slots'] },
  data: { all: ['kernel'] },
  user: { all: ['kernel', 'slots'] },
};

/** What the parts of `packages/ebpf` may import of each other. The linker decodes, so that a linked program is ready to run. */
const ebpfParts = {
  elf: { all: [] },
  btf: { all: ['elf'] },
  object: { all: ['btf', 'elf'] },
  isa: { all: [] },
  decode: { all: ['isa'] },
  link: { all: ['decode', 'isa', 'btf'], types: ['object'] },
  interpreter: { all: ['link', 'decode', 'isa', 'btf'] },
};

/** What the parts of `packages/image` may import of each other. All of them use its `image.ts` as a type. */
const imageParts = {
  source: { all: [] },
  compression: { all: [] },
  notes: { all: ['source'], types: ['containers'] },
  containers: { all: ['source', 'compression', 'notes'] },
  roots: { all: ['containers', 'notes', 'source'] },
};

/** What the parts of `packages/compare` may import of each other. All of them use its `parts`. */
const compareParts = {
  parts: { all: [] },
  accesses: { all: ['parts'] },
  areas: { all: ['parts'] },
  layout: { all: ['areas', 'parts'] },
  stream: { all: ['parts'] },
};

/** What a published package may depend on beside packages of this repository: decompressors, of those that read dumps. */
const decompressors = new Map([['@vmarea/image', ['fflate', 'fzstd']]]);

/** At most this many cycles are printed, because one wrong import may close dozens. */
const CYCLES_SHOWN = 5;

const core = '^packages/core/src/';
/** @type {import('dependency-cruiser').DependencyType[]} */
const asTypes = ['type-only', 'type-import'];

/**
 * The rules between the folders of a folder.
 *
 * @param {string} folder - a pattern, with its last slash.
 * @param {Record<string, { all: string[], types?: string[] }>} allowed
 * @returns {import('dependency-cruiser').IForbiddenRuleType[]}
 */
function between(folder, allowed) {
  const inside = (/** @type {string[]} */ names) => `${folder}(${names.join('|')})/`;
  return Object.entries(allowed).flatMap(([name, { all, types = [] }]) => [
    {
      name: `${name} may not import this room`,
      from: { path: inside([name]) },
      to: { path: `${folder}[^/]+/`, pathNot: inside([name, ...all, ...types]) },
    },
    ...types.map((type) => ({
      name: `${name} may import types only from ${type}`,
      from: { path: inside([name]) },
      to: { path: inside([type]), dependencyTypesNot: asTypes },
    })),
  ]);
}

/** @type {import('dependency-cruiser').IForbiddenRuleType[]} */
const forbidden = [
  ...between(core, rooms),
  ...between(`${core}table/`, tableParts),
  ...between(`${core}vmap/`, vmapParts),
  ...between('^packages/mmu/src/', mmuParts),
  ...between('^packages/arena/src/', arenaParts),
  ...between('^packages/ebpf/src/', ebpfParts),
  ...between('^packages/image/src/', imageParts),
  ...between('^packages/compare/src/', compareParts),
  {
    name: 'a part of vmap may not import its face',
    from: { path: `${core}vmap/[^/]+/` },
    to: { path: `${core}vmap/address-space\\.ts$` },
  },
  {
    name: 'unknown room: say in tools/layers.mjs what it may import',
    from: { path: `${core}[^/]+/`, pathNot: `${core}(${Object.keys(rooms).join('|')})/` },
    to: {},
  },
  {
    name: 'a helper in src/ imports no room',
    from: { path: `${core}[^/]+$`, pathNot: `${core}index\\.ts$` },
    to: { path: `${core}[^/]+/` },
  },
  { name: 'nothing inside core imports its index', from: { path: core }, to: { path: `${core}index\\.ts$` } },
  { name: 'not found', from: {}, to: { couldNotResolve: true } },
  {
    name: "not one of the package's dependencies",
    from: { path: '^(packages|apps)/[^/]+/src/' },
    // An app's build takes in the private package of all commands, so that it is a devDependency. `core` means modules of Node. The compiler refuses them where they have no place.
    to: {
      couldNotResolve: false,
      dependencyTypesNot: ['local', 'npm', 'core'],
      pathNot: '^apps/[^/]+/node_modules/@vmarea/cli/',
    },
  },
  { name: 'import cycle', from: {}, to: { circular: true } },
];

const root = fileURLToPath(new URL('..', import.meta.url));
const folders = ['packages', 'apps']
  .flatMap((group) => readdirSync(join(root, group)).map((name) => `${group}/${name}/src`))
  .filter((folder) => existsSync(join(root, folder)));

const { output } = await cruise(folders, {
  baseDir: root,
  validate: true,
  ruleSet: { forbidden: forbidden.map((rule) => ({ ...rule, severity: 'error' })) },
  doNotFollow: { path: 'node_modules' },
  // Types count too. A package of this repository keeps its path under node_modules, so that dependency-cruiser
  // knows a dependency from a devDependency.
  tsPreCompilationDeps: true,
  preserveSymlinks: true,
  enhancedResolveOptions: {
    exportsFields: ['exports'],
    conditionNames: ['@vmarea/source', 'import', 'node', 'default'],
    extensions: ['.ts', '.mjs', '.cjs', '.js', '.json'],
  },
});
if (typeof output === 'string') throw new Error(output);

const { violations } = output.summary;
const cycles = violations.filter(({ cycle }) => cycle !== undefined);
const problems = violations
  .filter(({ cycle }) => cycle === undefined)
  .map(({ from, to, rule }) => `${from} imports ${to}: ${rule.name}`);
for (const { from, cycle = [] } of cycles.slice(0, CYCLES_SHOWN)) {
  problems.push(`import cycle: ${[from, ...cycle.map(({ name }) => name)].join(' -> ')}`);
}
if (cycles.length > CYCLES_SHOWN) problems.push(`and ${cycles.length - CYCLES_SHOWN} more import cycles`);

// dependency-cruiser skips files silently when it finds no TypeScript that it can use.
const read = new Set(output.modules.map(({ source }) => source));
const files = folders.flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => `${folder}/${file.replaceAll('\\', '/')}`),
);
const unread = files.filter((file) => !read.has(file));
if (files.length === 0) problems.push('no source file was found');
if (unread.length > 0)
  problems.push(`${unread.length} source files were not read; the first is ${unread[0]}`);

/** @type {{ name: string, private?: boolean, dependencies?: Record<string, string> }[]} */
const packages = readdirSync(join(root, 'packages')).map((name) =>
  JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')),
);
const published = packages.filter((one) => one.private !== true);
for (const { name, dependencies = {} } of published) {
  const others = published.map((one) => one.name);
  const allowed = name === '@vmarea/core' ? [] : [...others, ...(decompressors.get(name) ?? [])];
  for (const dependency of Object.keys(dependencies)) {
    if (!allowed.includes(dependency)) problems.push(`${name} may not depend on ${dependency}`);
  }
}

for (const problem of problems) console.error(problem);
console.log(
  `layers: ${files.length - unread.length} source files checked, ` +
    (problems.length === 0 ? 'no problem' : 'see the problems above'),
);
process.exitCode = problems.length > 0 ? 1 : 0;
