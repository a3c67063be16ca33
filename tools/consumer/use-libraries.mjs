import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import { checkNames } from './check-names.mjs';
import { compilers } from './project.mjs';

const programFolder = fileURLToPath(new URL('./programs', import.meta.url));

/**
 * Uses installed libraries in every supported way.
 *
 * @param {import('./checks.mjs').Checks} checks
 * @param {import('./project.mjs').Project} project
 * @param {string[]} names - of the libraries.
 */
export async function useLibraries(checks, project, names) {
  const programs = writePrograms(project, names);
  for (const name of programs) await useProgram(checks, project, name);
  for (const name of names) {
    await checks.check(`${name}: names of classes and functions`, () => checkNames(project, name));
    const all = [...new Set(['@vmarea/core', name])];
    await checks.check(`size in the browser of ${all.join(' + ')}, all exports`, async () => {
      project.write('all.ts', all.map((one) => `export * from '${one}';`).join('\n'));
      return (await project.bundle('all')).size;
    });
  }
  for (const { name, file } of compilers) {
    for (const resolution of /** @type {const} */ (['node16', 'bundler'])) {
      const title = `types with ${name}, moduleResolution ${resolution}`;
      await checks.check(title, () => project.typecheck(file, resolution, programs));
    }
  }
  await checks.check('stack traces name the sources', () => checkStack(project));
}

/**
 * @param {import('./checks.mjs').Checks} checks
 * @param {import('./project.mjs').Project} project
 * @param {string} name - of a program.
 */
async function useProgram(checks, project, name) {
  await checks.check(`${name}: import in Node`, () =>
    project.evaluate('module', `import { run } from './${name}.mjs'; console.log(run());`),
  );
  await checks.check(`${name}: require in Node`, () =>
    project.evaluate('commonjs', `const { run } = require('./${name}.cjs'); console.log(run());`),
  );
  await checks.check(`${name}: import in a worker thread`, () => project.worker(`./${name}.mjs`));
  await checks.check(`${name}: bundled for the browser, run in a worker thread`, async () => {
    const { file, size } = await project.bundle(name);
    return `${await project.worker(file)}; ${size}`;
  });
}

/**
 * Puts each program into the project as an ES and as a CommonJS module, in TypeScript and in JavaScript.
 * One program is made here: it imports everything that every package exports.
 *
 * @param {import('./project.mjs').Project} project
 * @param {string[]} packageNames
 * @returns {string[]} the programs' names.
 */
function writePrograms(project, packageNames) {
  project.write('exports.ts', exportsProgram(packageNames));
  const names = readdirSync(programFolder).filter((file) => file.endsWith('.ts'));
  for (const file of names) copyFileSync(join(programFolder, file), join(project.folder, file));
  const programs = ['exports', ...names.map((file) => basename(file, '.ts'))];
  for (const name of programs) {
    const source = readFileSync(join(project.folder, `${name}.ts`), 'utf8');
    for (const [letter, format] of /** @type {const} */ ([
      ['m', 'esm'],
      ['c', 'cjs'],
    ])) {
      project.write(`${name}.${letter}ts`, source);
      project.write(`${name}.${letter}js`, esbuild.transformSync(source, { loader: 'ts', format }).code);
    }
  }
  return programs;
}

/** @param {string[]} packageNames */
function exportsProgram(packageNames) {
  return [
    ...packageNames.map((name, index) => `import * as p${index} from '${name}';`),
    'const packages: Record<string, object> = {',
    ...packageNames.map((name, index) => `  '${name}': p${index},`),
    '};',
    'export function run(): string {',
    '  return Object.entries(packages).map(([name, exported]) => {',
    '    const names = Object.keys(exported);',
    '    for (const key of names) {',
    "      if ((exported as any)[key] === undefined) throw new Error(name + ' exports ' + key + ' as undefined');",
    '    }',
    "    return name + ' ' + names.length;",
    "  }).join(', ') + ' exports';",
    '}',
  ].join('\n');
}

/** @param {import('./project.mjs').Project} project */
async function checkStack(project) {
  const script = `
    import { PhysicalMemory } from '@vmarea/core';
    try { PhysicalMemory.create({ bytes: -1 }); } catch (error) { console.log(error.stack); }`;
  const stack = await project.evaluate('module', script, ['--enable-source-maps']);
  const place = /@vmarea[\\/]core[\\/](src[\\/][^\s:]+\.ts:\d+)/.exec(stack)?.[1];
  if (place === undefined) throw new Error(`no line of src/ in it:\n${stack}`);
  return place;
}
