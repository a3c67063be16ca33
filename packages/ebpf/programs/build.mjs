// Compiles the programs of this folder to BPF objects, which are committed.
//
//   node programs/build.mjs           writes NAME.bpf.o beside NAME.bpf.c
//   node programs/build.mjs --check   compares with the existing files
//
// Another version of clang writes other bytes, so the version is a part of the rule. `VMAREA_CLANG` names another command.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const VERSION = '19.1.7';
const FLAGS = ['-target', 'bpf', '-mcpu=v4', '-O2', '-g', '-Wall', '-Werror', '-Wno-unused-function'];

const here = fileURLToPath(new URL('.', import.meta.url));

/**
 * The compiler: its command, or why there is none.
 *
 * @returns {{ command: string, problem: string | null }}
 */
export function compiler() {
  const command = process.env.VMAREA_CLANG ?? 'clang-19';
  const { stdout, error } = spawnSync(command, ['--version'], { encoding: 'utf8' });
  if (error !== undefined) return { command, problem: `${command} is missing: install clang-19` };
  const version = /clang version (\S+)/.exec(stdout)?.[1] ?? 'unknown';
  const isSame = version === VERSION || version.startsWith(`${VERSION}-`);
  return { command, problem: isSame ? null : `${command} is version ${version}, expected ${VERSION}` };
}

/** The names of the programs. */
export const programs = () =>
  readdirSync(here)
    .filter((file) => file.endsWith('.bpf.c'))
    .map((file) => file.slice(0, -'.bpf.c'.length));

/**
 * Compiles a program.
 *
 * @param {string} command @param {string} name
 * @returns {Buffer} the object.
 */
export function compile(command, name) {
  const folder = mkdtempSync(join(tmpdir(), 'vmarea-ebpf-'));
  try {
    const object = join(folder, 'object');
    // Without the folder, objects are the same wherever they are made.
    const args = [...FLAGS, '-ffile-compilation-dir=.', '-c', `${name}.bpf.c`, '-o', object];
    const { status, stderr } = spawnSync(command, args, { cwd: here, encoding: 'utf8' });
    if (status !== 0) throw new Error(`${command} ${args.join(' ')}\n${stderr}`);
    return readFileSync(object);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {string} name */
export const objectOf = (name) => join(here, `${name}.bpf.o`);

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { command, problem } = compiler();
  if (problem !== null) {
    console.error(problem);
    process.exit(1);
  }
  for (const name of programs()) {
    const object = compile(command, name);
    if (!process.argv.includes('--check')) {
      writeFileSync(objectOf(name), object);
      console.log(`${name}.bpf.o: ${object.length} bytes`);
    } else if (!object.equals(readFileSync(objectOf(name)))) {
      console.error(`${name}.bpf.o differs from the compiled ${name}.bpf.c: run node programs/build.mjs`);
      process.exitCode = 1;
    }
  }
}
