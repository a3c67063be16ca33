// Assembles kernel.s with the binutils of riscv64 (Debian: binutils-riscv64-linux-gnu).
//
//   node build.mjs           writes kernel.bin
//   node build.mjs --check   compares with kernel.bin
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'rv64-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const object = join(folder, 'kernel.o');
const linked = join(folder, 'kernel.elf');
const bytes = join(folder, 'kernel.bin');
const run = (/** @type {string} */ name, /** @type {string[]} */ args) =>
  execFileSync(`riscv64-linux-gnu-${name}`, args, { stdio: 'inherit' });

run('as', ['-march=rv64i_zicsr', `${here}kernel.s`, '-o', object]);
run('ld', ['--no-warn-rwx-segments', '--no-relax', '-Ttext', '0x80000000', object, '-o', linked]);
run('objcopy', ['-O', 'binary', '-j', '.text', linked, bytes]);

const made = readFileSync(bytes);
const target = `${here}kernel.bin`;
if (!process.argv.includes('--check')) writeFileSync(target, made);
else if (!readFileSync(target).equals(made)) {
  console.error('kernel.bin differs from the assembled kernel.s: run node build.mjs');
  process.exitCode = 1;
}
