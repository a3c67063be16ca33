import { readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Configuration, validateFormat } from '@vmarea/core';
import * as v from 'valibot';
import { UsageError } from './errors.js';
import { unknown } from './options.js';

/** The configurations that were found, in the order of their packages, and what was left out. */
export interface Installed {
  readonly configurations: readonly Configuration[];
  /** A sentence for each package or configuration that was left out. */
  readonly warnings: readonly string[];
}

/** The app that asks, as `installedFormats` needs it. */
export interface FormatsOf {
  /** The folder of the app's package.json. */
  readonly root: string;
  /** Imports one of the app's dependencies: `(name) => import(name)` in a module of the app. */
  readonly load: (name: string) => Promise<unknown>;
}

/** The keyword of packages that export page-table formats. */
const KEYWORD = 'vmarea-format';

const functionOf = v.custom<(...args: never[]) => unknown>((value) => typeof value === 'function');
const shift = v.pipe(v.number(), v.integer(), v.minValue(12), v.maxValue(63));
const address = v.pipe(v.bigint(), v.minValue(0n), v.maxValue(1n << 64n));
const leafShifts = v.pipe(v.array(shift), v.minLength(1));

/** The parts of a configuration that this app uses. The engine checks the rest. */
const configurationSchema = v.looseObject({
  name: v.pipe(v.string(), v.regex(/^[\w.+-]+$/, 'expected letters, digits and . + -')),
  title: v.string(),
  format: v.looseObject({
    name: v.string(),
    pageShift: v.pipe(shift, v.maxValue(30)),
    paBits: v.pipe(v.number(), v.integer(), v.maxValue(64)),
    levels: v.pipe(
      v.array(v.looseObject({ name: v.string(), shift, bits: v.pipe(v.number(), v.integer()) })),
      v.minLength(1),
      v.maxLength(5),
    ),
    encode: functionOf,
  }),
  linux: v.looseObject({
    name: v.string(),
    window: v.looseObject({ start: address, end: address }),
    guardBytes: v.pipe(v.number(), v.integer(), v.minValue(0)),
    ioremapMaxOrder: shift,
    leaves: v.looseObject({ vmalloc: leafShifts, vmap: leafShifts, ioremap: leafShifts }),
    protections: v.looseObject({ PAGE_KERNEL: v.looseObject({}), IOREMAP: v.looseObject({}) }),
  }),
});

/**
 * Finds every configuration of every installed package with the keyword `vmarea-format`, among the dependencies of
 * an app and of the package.json in a folder.
 *
 * A package that fails to load becomes a warning, so that the others can be measured.
 *
 * @param app - who asks.
 * @param folder - usually the current one. It needs no package.json.
 */
export async function installedFormats(app: FormatsOf, folder: string): Promise<Installed> {
  const configurations = new Map<string, Configuration>();
  const warnings: string[] = [];
  const seen = new Set<string>();
  for (const from of [app.root, folder]) {
    for (const name of dependencyNames(from)) {
      if (seen.has(name)) continue;
      const found = findPackage(name, from);
      if (found === null) continue;
      seen.add(name);
      try {
        for (const one of await load(name, found, app)) {
          const known = configurations.get(one.name);
          if (known === undefined) configurations.set(one.name, one);
          else
            warnings.push(
              `${name}: another package has a configuration named ${one.name}; this one is left out`,
            );
        }
      } catch (error) {
        warnings.push(`${name} is left out: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
  return { configurations: [...configurations.values()], warnings };
}

/**
 * The configurations that `--format` names, in that order; all when the option is absent.
 *
 * @throws UsageError for a name that is not installed, and when no format is installed.
 */
export function choose(installed: Installed, names: string | undefined): readonly Configuration[] {
  const all = installed.configurations;
  if (all.length === 0) {
    throw new UsageError(`no page-table format is installed: no dependency has the keyword ${KEYWORD}`);
  }
  if (names === undefined) return all;
  const known = all.map((one) => one.name);
  const wanted = new Set(names.split(',').map((name) => name.trim()));
  return [...wanted].map((name) => {
    const one = all.find((configuration) => configuration.name === name);
    if (one !== undefined) return one;
    if (name === '') throw new UsageError(`--format has an empty name; installed: ${known.join(', ')}`);
    throw unknown('format', name, known, 'Installed');
  });
}

/**
 * The configurations that `--format` names, or `all` of them. Without the option, one for each architecture and page size.
 *
 * @throws UsageError as `choose`.
 */
export function chooseUsual(installed: Installed, names: string | undefined): readonly Configuration[] {
  const all = choose(installed, names === 'all' ? undefined : names);
  return names === undefined ? usualFormats(all) : all;
}

/**
 * Of each architecture and page size the one with the fewest levels, and of these the one with the most sizes of leaves. Names of one
 * architecture have the same first word.
 */
function usualFormats(all: readonly Configuration[]): readonly Configuration[] {
  const best = new Map<string, Configuration>();
  for (const one of all) {
    const key = `${one.name.split('-')[0]} ${one.format.pageShift}`;
    const known = best.get(key);
    if (known === undefined || isBefore(one, known)) best.set(key, one);
  }
  return [...best.values()];
}

function isBefore(a: Configuration, b: Configuration): boolean {
  const levels = a.format.levels.length - b.format.levels.length;
  return levels === 0 ? a.linux.leaves.vmalloc.length > b.linux.leaves.vmalloc.length : levels < 0;
}

interface Manifest {
  readonly keywords?: unknown;
  readonly dependencies?: object;
  readonly devDependencies?: object;
  readonly optionalDependencies?: object;
  readonly peerDependencies?: object;
}

interface FoundPackage {
  readonly folder: string;
  /** The folder whose package.json names it. */
  readonly parent: string;
}

function readManifest(folder: string): Manifest | null {
  try {
    const manifest: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    return typeof manifest === 'object' && manifest !== null ? manifest : null;
  } catch {
    return null;
  }
}

function dependencyNames(folder: string): string[] {
  const manifest = readManifest(folder) ?? {};
  const groups = [
    manifest.dependencies,
    manifest.optionalDependencies,
    manifest.peerDependencies,
    manifest.devDependencies,
  ];
  return [...new Set(groups.flatMap((group) => Object.keys(group ?? {})))];
}

/** The folder of an installed package that has the keyword. It is found as Node finds packages. */
function findPackage(name: string, from: string): FoundPackage | null {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name);
    const keywords = readManifest(candidate)?.keywords;
    if (Array.isArray(keywords)) {
      return keywords.includes(KEYWORD) ? { folder: realpathSync(candidate), parent: from } : null;
    }
    if (folder === dirname(folder)) return null;
  }
}

async function load(name: string, found: FoundPackage, app: FormatsOf): Promise<Configuration[]> {
  const isOwn = found.parent === app.root;
  const module = (await (isOwn ? app.load(name) : import(entryOf(name, found)))) as {
    configurations?: unknown;
  };
  const list = v.safeParse(v.array(v.unknown()), module.configurations);
  if (!list.success) throw new Error('it exports no array named configurations');
  return list.output.map((one, i) => {
    const parsed = v.safeParse(configurationSchema, one);
    if (parsed.success) {
      validateFormat((one as Configuration).format);
      return one as Configuration;
    }
    const issue = parsed.issues[0];
    throw new Error(`configurations[${i}].${v.getDotPath(issue) ?? ''}: ${issue.message}`);
  });
}

/** The URL of the module that `import` loads for a package: by its `exports`, else the one that `require` loads. */
function entryOf(name: string, found: FoundPackage): string {
  const exported = (readManifest(found.folder) as { exports?: unknown } | null)?.exports;
  const main = exported instanceof Object && '.' in exported ? exported['.'] : exported;
  const target = importTarget(main);
  const path =
    target === null
      ? createRequire(join(found.parent, 'package.json')).resolve(name)
      : join(found.folder, target);
  return pathToFileURL(path).href;
}

function importTarget(entry: unknown): string | null {
  if (typeof entry === 'string') return entry;
  if (typeof entry !== 'object' || entry === null) return null;
  for (const [condition, value] of Object.entries(entry)) {
    if (!['import', 'node', 'module-sync', 'default'].includes(condition)) continue;
    const target = importTarget(value);
    if (target !== null) return target;
  }
  return null;
}
