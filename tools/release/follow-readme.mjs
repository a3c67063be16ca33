import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as esbuild from 'esbuild';
import { documents } from '../documents/commands.mjs';
import { blocksOf, linesOf } from '../documents/markdown.mjs';
import { writeDumps } from '../support/dumps.mjs';
import { output, root } from '../support/run.mjs';
import { temporaryFolder } from '../support/temporary.mjs';

/** The dump that the examples open, and a reader is supposed to have. */
const DUMPS = { README: 'riscv64-sv39.zstd', guide: 'x86-4level.zlib' };

/**
 * Does what the README of a library says, in an empty project: installs from a registry, and runs the examples.
 *
 * @param {import('../consumer/packages.mjs').Package} library
 * @param {string} registry - where packages of this repository come from. All others come from the usual one.
 */
export async function followReadme({ name, folder }, registry) {
  const { install, done } = await follow(join(folder, 'README.md'), registry, DUMPS.README);
  if (!install.split(' ').includes(name)) throw new Error(`it does not install ${name}: ${install}`);
  return done;
}

/**
 * Does the same with a guide.
 *
 * @param {string} file
 * @param {string} registry
 */
export async function followGuide(file, registry) {
  return (await follow(join(root, file), registry, DUMPS.guide)).done;
}

/** The guides that tell their readers to install packages. */
export function guidesThatInstall() {
  return documents().filter((file) => /^docs[\\/]/.test(file) && installOf(join(root, file)) !== undefined);
}

/** @param {string} file */
function installOf(file) {
  const commands = blocksOf(readFileSync(file, 'utf8')).filter(({ language }) => language === 'sh');
  return commands.flatMap(linesOf).find(({ text }) => text.startsWith('npm install '))?.text;
}

/**
 * @param {string} file
 * @param {string} registry
 * @param {string} dump
 */
async function follow(file, registry, dump) {
  const project = temporaryFolder('readme');
  const write = (/** @type {string} */ name, /** @type {string} */ text) =>
    writeFileSync(join(project, name), text);
  write('package.json', '{ "private": true, "type": "module" }\n');
  write('.npmrc', `@vmarea:registry=${registry}\naudit=false\nfund=false\n`);

  const install = installOf(file);
  if (install === undefined) throw new Error(`${file} has no npm install`);
  await output('sh', ['-c', install], { cwd: project });
  writeDumps(project, { vmcore: dump });

  const examples = blocksOf(readFileSync(file, 'utf8')).filter(({ language }) => language === 'ts');
  for (const [index, { text }] of examples.entries()) {
    write(`example-${index}.mjs`, esbuild.transformSync(text, { loader: 'ts', format: 'esm' }).code);
    await output(process.execPath, [`example-${index}.mjs`], { cwd: project });
  }
  return {
    install,
    done: `${install}, ${examples.length === 1 ? '1 example' : `${examples.length} examples`}`,
  };
}
