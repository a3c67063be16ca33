import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as esbuild from 'esbuild';
import { output, packageFile } from '../support/run.mjs';
import { temporaryFolder } from '../support/temporary.mjs';

/** The compilers that must understand the packages. */
export const compilers = [
  { name: 'TypeScript 6', file: packageFile('typescript', 'bin/tsc6') },
  { name: 'TypeScript 7', file: packageFile('@typescript/native', 'bin/tsc') },
];

/** A project outside the repository, as a user has one. */
export class Project {
  folder = temporaryFolder('consumer');

  /**
   * Installs tarballs. They depend on each other by version. The project has each of those versions, so npm looks for none of
   * them in a registry.
   *
   * @param {string[]} names - of packages.
   * @param {Map<string, string>} tarballs
   * @param {'--offline' | '--prefer-offline'} network
   */
  async install(names, tarballs, network) {
    const dependencies = Object.fromEntries(names.map((name) => [name, `file:${tarballs.get(name)}`]));
    this.write('package.json', JSON.stringify({ private: true, dependencies }));
    await output('npm', ['install', network, '--no-audit', '--no-fund', '--ignore-scripts'], {
      cwd: this.folder,
    });
    return '';
  }

  /** The folder of an installed package. */
  installed(/** @type {string} */ name) {
    return join(this.folder, 'node_modules', name);
  }

  /**
   * @param {string} file
   * @param {string} text
   */
  write(file, text) {
    writeFileSync(join(this.folder, file), `${text}\n`);
  }

  /**
   * Runs a piece of JavaScript.
   *
   * @param {'module' | 'commonjs'} type
   * @param {string} script
   * @param {string[]} [options] - of Node.
   */
  async evaluate(type, script, options = []) {
    const args = [...options, `--input-type=${type}`, '-e', script];
    return (await output(process.execPath, args, { cwd: this.folder })).trim();
  }

  /**
   * Calls a program's `run` in a worker thread.
   *
   * @param {string} moduleFile
   */
  async worker(moduleFile) {
    this.write(
      'start-worker.mjs',
      `import { parentPort, workerData } from 'node:worker_threads';
       const { run } = await import(workerData);
       parentPort.postMessage(run());`,
    );
    this.write(
      'worker.mjs',
      `import { Worker } from 'node:worker_threads';
       const worker = new Worker(new URL('./start-worker.mjs', import.meta.url), { workerData: process.argv[2] });
       worker.on('message', (result) => console.log(result));`,
    );
    return (await output(process.execPath, ['worker.mjs', moduleFile], { cwd: this.folder })).trim();
  }

  /**
   * Bundles a program for browsers. esbuild fails where it finds a module of Node.
   *
   * @param {string} name
   */
  async bundle(name) {
    const file = join(this.folder, `${name}.browser.mjs`);
    await esbuild.build({
      ...{ absWorkingDir: this.folder, entryPoints: [`${name}.ts`], outfile: file },
      ...{ bundle: true, minify: true, format: 'esm', platform: 'browser', target: 'es2023' },
      logLevel: 'silent',
    });
    const code = readFileSync(file);
    const size = `${code.byteLength} bytes minified, ${gzipSync(code).byteLength} bytes gzip`;
    return { file: `./${basename(file)}`, size };
  }

  /**
   * Type-checks programs, and the declarations of the packages with them.
   *
   * @param {string} compiler
   * @param {'node16' | 'bundler'} resolution
   * @param {string[]} programs
   */
  async typecheck(compiler, resolution, programs) {
    const extensions = resolution === 'node16' ? ['mts', 'cts'] : ['ts'];
    const config = `tsconfig.${resolution}.json`;
    const compilerOptions = {
      ...{ strict: true, noEmit: true, skipLibCheck: false, target: 'ES2023', lib: ['ES2023'], types: [] },
      module: resolution === 'node16' ? 'node16' : 'esnext',
      moduleResolution: resolution,
    };
    const files = programs.flatMap((name) => extensions.map((extension) => `${name}.${extension}`));
    this.write(config, JSON.stringify({ compilerOptions, files }));
    await output(process.execPath, [compiler, '-p', config], { cwd: this.folder });
    return '';
  }
}
