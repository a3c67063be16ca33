import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { dirname, join, relative, sep } from 'node:path';

/** Files beside package.json that every package has. */
const DOCUMENTS = ['LICENSE', 'README.md'];

/** What nobody who installs a package needs. */
const UNWANTED = /(^|\/)(test|tests|coverage|node_modules|\.[^/]*)(\/|$)|\.test\.|\.tsbuildinfo$|\.tgz$/;

/**
 * Checks the files of an installed package: documents, what package.json names, nothing unwanted, and maps that lead to sources.
 *
 * @param {string} folder - of the package.
 * @param {{ changelog: boolean }} options - whether it must have a changelog: only a version has one.
 */
export function checkFiles(folder, { changelog }) {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(folder, name)).isFile())
    .map((name) => name.replaceAll(sep, '/'));
  const problems = [
    ...[...DOCUMENTS, ...(changelog ? ['CHANGELOG.md'] : [])]
      .filter((name) => !files.includes(name))
      .map((name) => `${name} is missing`),
    ...named(manifest)
      .filter((name) => !files.includes(name))
      .map((name) => `package.json names ${name}, which is missing`),
    ...files.filter((name) => UNWANTED.test(name)).map((name) => `${name} has no place in a package`),
    ...files
      .filter((name) => /^dist\/(?!sources\/).*\.(js|ts)$/.test(name))
      .flatMap((name) => checkMap(folder, name)),
  ];
  if (changelog && !problems.length) problems.push(...checkChangelog(folder, manifest));
  if (problems.length > 0) throw new Error(problems.join('\n'));
  const bytes = files.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  return `${files.length} files, ${(bytes / 1024).toFixed(0)} KiB`;
}

/**
 * Files that `exports` and `bin` name, those for developers of this repository too.
 *
 * @param {{ exports?: unknown, bin?: unknown }} manifest
 */
function named({ exports, bin }) {
  return [...strings(exports), ...strings(bin)].map((name) => name.replace(/^\.\//, ''));
}

/**
 * @param {unknown} value
 * @returns {string[]} all strings in it.
 */
function strings(value) {
  return typeof value === 'string' ? [value] : Object.values(value ?? {}).flatMap(strings);
}

/**
 * @param {string} folder
 * @param {{ name: string, version: string }} manifest
 */
function checkChangelog(folder, { name, version }) {
  const text = readFileSync(join(folder, 'CHANGELOG.md'), 'utf8');
  return text.startsWith(`# ${name}\n\n## ${version}\n`)
    ? []
    : [`CHANGELOG.md does not begin with ${version}`];
}

/**
 * A built file's map names sources that are in the package, and holds no copy of them. A declaration leads to where its name is
 * declared in the source.
 *
 * @param {string} folder
 * @param {string} name
 */
function checkMap(folder, name) {
  const file = join(folder, name);
  const text = readFileSync(file, 'utf8');
  if (!existsSync(`${file}.map`)) return [`${name} has no map`];
  if (!text.includes(`//# sourceMappingURL=${name.split('/').at(-1)}.map`)) return [`${name} names no map`];
  const map = JSON.parse(readFileSync(`${file}.map`, 'utf8'));
  if (map.sourcesContent) return [`${name}.map holds a copy of the sources`];
  /** @type {string[]} */
  const sources = map.sources.map((/** @type {string} */ source) => join(dirname(file), source));
  const missing = sources.filter(
    (source) => relative(folder, source).startsWith('..') || !existsSync(source),
  );
  if (missing.length > 0)
    return missing.map((source) => `${name}.map names ${relative(folder, source)}, which is missing`);
  return name.endsWith('.d.ts') ? checkDeclarations(name, text, new SourceMap(map), sources) : [];
}

/**
 * @param {string} name
 * @param {string} text
 * @param {SourceMap} map
 * @param {string[]} sources
 */
function checkDeclarations(name, text, map, sources) {
  const source = readFileSync(/** @type {string} */ (sources[0]), 'utf8').split('\n');
  const declaration = /^export (?:declare )?(?:abstract )?(?:class|function|const|interface|type) (\w+)/;
  return text.split('\n').flatMap((line, index) => {
    const found = declaration.exec(line);
    if (found === null) return [];
    const [whole, declared = ''] = found;
    const entry = map.findEntry(index, whole.length - declared.length);
    const there =
      'originalLine' in entry ? (source[entry.originalLine]?.slice(entry.originalColumn) ?? '') : '';
    return there.startsWith(declared)
      ? []
      : [`${name}: the map of ${declared} leads to '${there.slice(0, 40)}'`];
  });
}
