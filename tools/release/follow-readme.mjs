import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as esbuild from 'esbuild';
import { blocksOf, linesOf } from '../documents/markdown.mjs';
import { writeDumps } from '../support/dumps.mjs';
import { output } from '../support/run.mjs';
import { temporaryFolder } from '../support/temporary.mjs';

/** Files that the examples open, and a reader is supposed to have. */
const DUMPS = { vmcore: 'riscv64-sv39.zstd' };

/**
 * Does what the README of a library says, in an empty project: installs from a registry, and runs the examples.
 *
 * @param {import('../consumer/packages.mjs').Package} library
 * @param {string} registry - where packages of this repository come from. All others come from the usual one.
 */
export async function followReadme({ name, folder }, registry) {
  const project = temporaryFolder('readme');
  const write = (/** @type {string} */ file, /** @type {string} */ text) =>
    writeFileSync(join(project, file), text);
  write('package.json', '{ "private": true, "type": "module" }\n');
  write('.npmrc', `@vmarea:registry=${registry}\naudit=false\nfund=false\n`);

  const blocks = blocksOf(readFileSync(join(folder, 'README.md'), 'utf8'));
  const install = blocks.filter(({ language }) => language === 'sh').flatMap(linesOf)[0]?.text ?? 'nothing';
  if (!install.startsWith('npm install '))
    throw new Error(`the first command is not npm install, but ${install}`);
  if (!install.split(' ').includes(name)) throw new Error(`it does not install ${name}: ${install}`);
  await output('sh', ['-c', install], { cwd: project });
  writeDumps(project, DUMPS);

  const examples = blocks.filter(({ language }) => language === 'ts');
  for (const [index, { text }] of examples.entries()) {
    write(`example-${index}.mjs`, esbuild.transformSync(text, { loader: 'ts', format: 'esm' }).code);
    await output(process.execPath, [`example-${index}.mjs`], { cwd: project });
  }
  return `${install}, ${examples.length === 1 ? '1 example' : `${examples.length} examples`}`;
}
