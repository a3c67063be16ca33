// Assembles the stubs that the guests run, with the binutils of each architecture.
//
//   node stubs/build.mjs           writes NAME.bin beside NAME.s
//   node stubs/build.mjs --check   compares with the existing files; a missing assembler is an error only if VMAREA_MMU is `required`
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** @type {{ name: string, prefix: string, flags: string[], at: string }[]} */
const STUBS = [
  { name: 'arm64', prefix: 'aarch64-linux-gnu-', flags: ['-march=armv8-a'], at: '0' },
  { name: 'riscv64', prefix: 'riscv64-linux-gnu-', flags: ['-march=rv64ima_zicsr_zifencei'], at: '0' },
  { name: 'x86-64', prefix: 'x86_64-linux-gnu-', flags: ['--64'], at: '0x200000' },
  { name: 'x86-64-reset', prefix: 'x86_64-linux-gnu-', flags: ['--64'], at: '0xffffff00' },
];

const here = fileURLToPath(new URL('.', import.meta.url));
const isCheck = process.argv.includes('--check');
const folder = mkdtempSync(join(tmpdir(), 'vmarea-stubs-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** @param {string} command @param {string[]} args */
function run(command, args) {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (error !== undefined) return `${command}: ${error.message}`;
  return status === 0 ? null : `${command} ${args.join(' ')}\n${stderr}`;
}

for (const { name, prefix, flags, at } of STUBS) {
  const source = join(here, `${name}.s`);
  const target = join(here, `${name}.bin`);
  const [object, linked, bytes] = ['o', 'elf', 'bin'].map((end) => join(folder, `${name}.${end}`));
  if (run(`${prefix}as`, ['--version']) !== null) {
    const what = `${prefix}as is missing: install binutils-${prefix.slice(0, -1).replace('_', '-')}`;
    console.error(
      isCheck && process.env.VMAREA_MMU !== 'required' ? `${what} (stub ${name} not checked)` : what,
    );
    if (!isCheck || process.env.VMAREA_MMU === 'required') process.exitCode = 1;
    continue;
  }
  const problem =
    run(`${prefix}as`, [...flags, source, '-o', object]) ??
    run(`${prefix}ld`, [
      '--no-warn-rwx-segments',
      '-Ttext',
      at,
      '-e',
      '_start',
      '--no-relax',
      object,
      '-o',
      linked,
    ]) ??
    run(`${prefix}objcopy`, ['-O', 'binary', '-j', '.text', linked, bytes]);
  if (problem !== null) {
    console.error(problem);
    process.exitCode = 1;
    continue;
  }
  if (!isCheck) {
    writeFileSync(target, readFileSync(bytes));
    console.log(`${name}.bin: ${readFileSync(bytes).length} bytes`);
  } else if (!readFileSync(bytes).equals(readFileSync(target))) {
    console.error(`${name}.bin differs from the assembled ${name}.s: run node stubs/build.mjs`);
    process.exitCode = 1;
  }
}
