// What somebody who installs the published packages gets: packs every published package, installs the
// tarballs in an empty project outside the repository, and uses them there in every supported way.
// Prints one line per check and fails when one fails. The packages must have been built.
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
  const packages = publishedPackages();
  const installed = await check(`pack and install ${packages.map(({ name }) => name).join(', ')}`, () =>
    install(packages),
  );
  if (!installed) return;
  const programs = writePrograms(packages.map(({ name }) => name));

  for (const name of programs) {
    await check(`${name}: import in Node`, () => node(`${name}.mjs`));
    await check(`${name}: require in Node`, () => node(`${name}.cjs`));
    await check(`${name}: import in a worker thread`, () => worker(`./${name}.mjs`));
    await check(`${name}: bundled for the browser, run in a worker thread`, () => bundle(name));
  }
  for (const compiler of compilers) {
    for (const resolution of ['node16', 'bundler']) {
      await check(`types with ${compiler.name}, moduleResolution ${resolution}`, () =>
        typecheck(compiler.file, resolution, programs),
      );
    }
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

/** Every package under packages/ that is not private. */
function publishedPackages() {
  return readdirSync(join(root, 'packages'))
    .map((folder) => join(root, 'packages', folder))
    .map((folder) => ({ folder, ...JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) }))
    .filter((manifest) => !manifest.private);
}

/**
 * The tarballs depend on each other by version; since the project has each of those versions, npm looks for
 * none of them in a registry.
 * @param {{ name: string, folder: string }[]} packages
 */
async function install(packages) {
  /** @type {Record<string, string>} */
  const dependencies = {};
  for (const { name, folder } of packages) {
    if (!existsSync(join(folder, 'dist'))) {
      throw new Error(`${name} is not built: name it under //#consumer in turbo.jsonc, or run npm run build`);
    }
    const { stdout } = await execute('pnpm', ['pack', '--json', '--pack-destination', project], {
      cwd: folder,
    });
    dependencies[name] = `file:${basename(JSON.parse(stdout).filename)}`;
  }
  write('package.json', JSON.stringify({ private: true, dependencies }));
  await execute('npm', ['install', '--offline', '--no-audit', '--no-fund', '--ignore-scripts'], {
    cwd: project,
  });
  return '';
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
  const outfile = join(project, `${name}.browser.mjs`);
  await esbuild.build({
    absWorkingDir: project,
    entryPoints: [`${name}.ts`],
    outfile,
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2023',
    logLevel: 'silent',
  });
  const bytes = readFileSync(outfile).byteLength;
  return `${await worker(`./${basename(outfile)}`)}; ${(bytes / 1024).toFixed(1)} KiB`;
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
