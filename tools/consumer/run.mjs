// What somebody who installs the published packages gets: packs every published package and app, installs
// the tarballs in an empty project outside the repository, and uses them there in every supported way.
// Prints one line per check and fails when one fails. Everything must have been built.
//
// The programs in ./programs are what is run. Each exports `run(): string` and throws when something is wrong.
// They see the packages only: no Node, no DOM.
import { execFile } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import * as esbuild from 'esbuild';

const execute = promisify(execFile);
const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL('../..', import.meta.url));
const programFolder = fileURLToPath(new URL('./programs', import.meta.url));
const compilers = [
  { name: 'TypeScript 6', file: packageFile('typescript', 'bin/tsc6') },
  { name: 'TypeScript 7', file: packageFile('@typescript/native', 'bin/tsc') },
];

let failures = 0;
const project = mkdtempSync(join(tmpdir(), 'vmarea-consumer-'));
try {
  await main();
} finally {
  rmSync(project, { recursive: true, force: true });
}
console.log(failures === 0 ? 'consumer: all checks passed' : `consumer: ${failures} checks failed`);
process.exitCode = failures === 0 ? 0 : 1;

async function main() {
  const packages = published('packages');
  const apps = published('apps');
  const names = packages.map(({ name }) => name);
  /** @type {Map<string, string>} */
  const tarballs = new Map();
  const ready =
    (await check(`pack ${[...packages, ...apps].length} tarballs`, () =>
      pack([...packages, ...apps], tarballs),
    )) &&
    // Offline: the packages need each other, and nothing else in the world.
    (await check(`install ${names.join(', ')}`, () => install(names, tarballs, '--offline')));
  if (!ready) return;
  const programs = writePrograms(names);

  for (const name of programs) {
    await check(`${name}: import in Node`, () => node(`${name}.mjs`));
    await check(`${name}: require in Node`, () => node(`${name}.cjs`));
    await check(`${name}: import in a worker thread`, () => worker(`./${name}.mjs`));
    await check(`${name}: bundled for the browser, run in a worker thread`, async () => {
      const { file, size } = await bundle(name);
      return `${await worker(`./${basename(file)}`)}; ${size}`;
    });
  }
  for (const name of names) {
    const all = [...new Set(['@vmarea/core', name])];
    await check(`size in the browser of ${all.join(' + ')}, all exports`, async () => {
      write('all.ts', all.map((one) => `export * from '${one}';`).join('\n'));
      return (await bundle('all')).size;
    });
  }
  for (const compiler of compilers) {
    for (const resolution of ['node16', 'bundler']) {
      await check(`types with ${compiler.name}, moduleResolution ${resolution}`, () =>
        typecheck(compiler.file, resolution, programs),
      );
    }
  }

  const appNames = apps.map(({ name }) => name);
  // What the apps need from others comes from the registry, or from npm's cache when it is there.
  if (
    await check(`install ${appNames.join(', ')}`, () =>
      install([...names, ...appNames], tarballs, '--prefer-offline'),
    )
  ) {
    await check('vmarea-bench --help', benchHelp);
    await check('vmarea-bench layout --json', benchLayout);
    await check('vmarea-bench speed --quick --json', benchSpeed);
    await check('vmarea-bench with an input that is not there', benchBadInput);
  }
}

/**
 * Runs one check and prints its line: the result that it returns, or why it failed.
 * @param {string} title
 * @param {() => Promise<string>} body
 */
async function check(title, body) {
  const start = performance.now();
  try {
    const result = await body();
    const ms = Math.round(performance.now() - start);
    console.log(`ok    ${title} (${ms} ms)${result ? `: ${result}` : ''}`);
    return true;
  } catch (error) {
    failures++;
    const { stdout = '', stderr = '', message } = /** @type {any} */ (error);
    console.log(`FAIL  ${title}\n${[message, stdout, stderr].filter(Boolean).join('\n').trim()}`);
    return false;
  }
}

/**
 * Every package of a folder that is not private.
 * @param {string} group
 * @returns {{ name: string, folder: string }[]}
 */
function published(group) {
  return readdirSync(join(root, group))
    .map((folder) => join(root, group, folder))
    .map((folder) => ({ folder, ...JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) }))
    .filter((manifest) => !manifest.private);
}

/**
 * @param {{ name: string, folder: string }[]} packages
 * @param {Map<string, string>} tarballs - takes the file name of each package's tarball.
 */
async function pack(packages, tarballs) {
  for (const { name, folder } of packages) {
    if (!existsSync(join(folder, 'dist'))) {
      throw new Error(`${name} is not built: name it under //#consumer in turbo.jsonc, or run npm run build`);
    }
  }
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const { stdout } = await execute(
    'npx',
    ['--yes', '--prefer-offline', packageManager, '--recursive']
      .concat(packages.map(({ name }) => `--filter=${name}`))
      .concat('pack', '--json', '--pack-destination', project),
    { cwd: root, maxBuffer: 2 ** 26 },
  );
  for (const { name, filename } of JSON.parse(stdout)) tarballs.set(name, basename(filename));
  return [...tarballs.values()].join(', ');
}

/**
 * The tarballs depend on each other by version; since the project has each of those versions, npm looks for
 * none of them in a registry.
 * @param {string[]} names
 * @param {Map<string, string>} tarballs
 * @param {'--offline' | '--prefer-offline'} network
 */
async function install(names, tarballs, network) {
  const dependencies = Object.fromEntries(names.map((name) => [name, `file:${tarballs.get(name)}`]));
  write('package.json', JSON.stringify({ private: true, dependencies }));
  await execute('npm', ['install', network, '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: project });
  return '';
}

/**
 * Runs the installed command.
 * @param {string[]} args
 */
async function bench(args) {
  return execute(join(project, 'node_modules/.bin/vmarea-bench'), args, { cwd: project, maxBuffer: 2 ** 26 });
}

async function benchHelp() {
  const { stdout } = await bench(['--help']);
  for (const word of ['USAGE', 'layout', 'speed']) {
    if (!stdout.includes(word)) throw new Error(`the help does not say ${word}:\n${stdout}`);
  }
  return '';
}

async function benchLayout() {
  const { stdout } = await bench(['layout', '--json', '--repeat', '1']);
  const { rows, warnings } = JSON.parse(stdout);
  if (rows.length === 0) throw new Error('it has no row');
  if (warnings.length > 0) throw new Error(`it warns: ${warnings.join('; ')}`);
  for (const { configuration, leafPolicy, mapped, leakCheck } of rows) {
    const row = `${configuration}, ${leafPolicy}`;
    if (!(mapped.pages > 0)) throw new Error(`${row}: nothing was mapped`);
    for (const what of ['tables', 'frames']) {
      const { before, peak, after } = leakCheck[what];
      if (before !== after || !(peak > before)) {
        throw new Error(`${row}: ${what} before ${before}, at most ${peak}, after ${after}`);
      }
    }
  }
  return `${rows.length} rows, no frame leaked`;
}

/** Every variant in processes of its own, from the installed files; C too, where the machine has a compiler. */
async function benchSpeed() {
  const only = ['--quick', '--passes', '1', '--workload', 'W1,W4.batch,W5.unmap'];
  const { stdout } = await bench(['speed', '--json', ...only]);
  const { rows, skipped, compiler } = JSON.parse(stdout);
  if (rows.length === 0 || skipped.length > 0)
    throw new Error(`${rows.length} rows, ${skipped.length} skipped`);
  for (const { configuration, workload, kernel, twin } of rows) {
    const row = `${configuration}, ${workload}`;
    if (!(kernel.median > 0 && twin.median > 0)) throw new Error(`${row}: nothing was timed`);
    if (kernel.loops !== 'wasm' || twin.loops !== 'array')
      throw new Error(`${row}: not the loops that were asked for`);
  }
  return `${rows.length} rows, ${compiler === null ? 'no compiler' : 'held against C'}`;
}

async function benchBadInput() {
  const { code, stdout, stderr } = await bench(['layout', '--vmallocinfo', 'nosuchfile']).catch(
    (error) => error,
  );
  if (code !== 2 || stdout !== '' || !stderr.includes('nosuchfile')) {
    throw new Error(`exit code ${code}, standard output '${stdout}', standard error '${stderr}'`);
  }
  return stderr.trim();
}

/**
 * Puts each program into the project as an ES and as a CommonJS module, in TypeScript and in JavaScript.
 * The first program is made here: it imports everything that every package exports.
 * @param {string[]} packageNames
 */
function writePrograms(packageNames) {
  write('exports.ts', exportsProgram(packageNames));
  const names = readdirSync(programFolder).filter((file) => file.endsWith('.ts'));
  for (const file of names) copyFileSync(join(programFolder, file), join(project, file));
  const programs = ['exports', ...names.map((file) => basename(file, '.ts'))];
  for (const name of programs) {
    const source = readFileSync(join(project, `${name}.ts`), 'utf8');
    for (const [extension, format] of /** @type {const} */ ([
      ['m', 'esm'],
      ['c', 'cjs'],
    ])) {
      write(`${name}.${extension}ts`, source);
      write(`${name}.${extension}js`, esbuild.transformSync(source, { loader: 'ts', format }).code);
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

/** @param {string} file */
async function node(file) {
  const script = file.endsWith('.mjs')
    ? `import { run } from './${file}'; console.log(run());`
    : `const { run } = require('./${file}'); console.log(run());`;
  const type = file.endsWith('.mjs') ? 'module' : 'commonjs';
  const { stdout } = await execute(process.execPath, [`--input-type=${type}`, '-e', script], {
    cwd: project,
  });
  return stdout.trim();
}

/** @param {string} moduleFile */
async function worker(moduleFile) {
  write(
    'start-worker.mjs',
    `import { parentPort, workerData } from 'node:worker_threads';
     const { run } = await import(workerData);
     parentPort.postMessage(run());`,
  );
  write(
    'worker.mjs',
    `import { Worker } from 'node:worker_threads';
     const worker = new Worker(new URL('./start-worker.mjs', import.meta.url), { workerData: process.argv[2] });
     worker.on('message', (result) => console.log(result));`,
  );
  const { stdout } = await execute(process.execPath, ['worker.mjs', moduleFile], { cwd: project });
  return stdout.trim();
}

/**
 * A module of Node has no place in a browser's bundle: esbuild fails when it finds one.
 * @param {string} name
 */
async function bundle(name) {
  const file = join(project, `${name}.browser.mjs`);
  await esbuild.build({
    absWorkingDir: project,
    entryPoints: [`${name}.ts`],
    outfile: file,
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2023',
    logLevel: 'silent',
  });
  const code = readFileSync(file);
  return { file, size: `${code.byteLength} bytes minified, ${gzipSync(code).byteLength} bytes gzip` };
}

/**
 * @param {string} compiler
 * @param {string} resolution
 * @param {string[]} programs
 */
async function typecheck(compiler, resolution, programs) {
  const extensions = resolution === 'node16' ? ['mts', 'cts'] : ['ts'];
  write(
    `tsconfig.${resolution}.json`,
    JSON.stringify({
      compilerOptions: {
        strict: true,
        noEmit: true,
        skipLibCheck: false,
        target: 'ES2023',
        lib: ['ES2023'],
        types: [],
        module: resolution === 'node16' ? 'node16' : 'esnext',
        moduleResolution: resolution,
      },
      files: programs.flatMap((name) => extensions.map((extension) => `${name}.${extension}`)),
    }),
  );
  await execute(process.execPath, [compiler, '-p', `tsconfig.${resolution}.json`], { cwd: project });
  return '';
}

/**
 * @param {string} name
 * @param {string} file
 */
function packageFile(name, file) {
  return join(require.resolve(`${name}/package.json`), '..', file);
}

/**
 * @param {string} file
 * @param {string} text
 */
function write(file, text) {
  writeFileSync(join(project, file), `${text}\n`);
}
