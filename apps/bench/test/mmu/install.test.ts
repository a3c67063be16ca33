import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('../../../../.ci/install-mmu', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'vmarea-install-'));
afterAll(() => rmSync(folder, { recursive: true }));

const QEMUS = ['qemu-system-aarch64', 'qemu-system-riscv64', 'qemu-system-x86_64'];
const ASSEMBLERS = ['aarch64-linux-gnu-as', 'riscv64-linux-gnu-as', 'x86_64-linux-gnu-as'];

/** Runs the script where every program that it calls is one of these, so that it changes nothing. */
function install(version: string, uid: number): { status: number | null; stderr: string; calls: string } {
  const bin = mkdtempSync(join(folder, 'bin-'));
  const log = join(bin, 'calls');
  const fake = (name: string, lines: string): void =>
    writeFileSync(join(bin, name), `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
  for (const name of QEMUS)
    fake(name, `echo 'QEMU emulator version ${version} (Debian 1:${version}+dfsg-7)'`);
  for (const name of ASSEMBLERS) fake(name, 'exit 0');
  // One line for each source that it is asked for: nothing has to be added.
  fake('apt-get', `echo "$*" >> '${log}'; [ "$1" != indextargets ] || echo there`);
  fake('id', `echo ${uid}`);
  fake('sudo', 'exit 1');
  const env = { PATH: `${bin}:${process.env.PATH}` };
  const { status, stderr } = spawnSync('bash', [script], { encoding: 'utf8', env });
  return { status, stderr, calls: existsSync(log) ? readFileSync(log, 'utf8') : '' };
}

describe.skipIf(process.platform !== 'linux')('the script that installs QEMU', () => {
  it.each(['10.0.2', '11.1.0'])('does nothing if QEMU %s is installed', (version) => {
    expect(install(version, 0)).toEqual({ status: 0, stderr: '', calls: '' });
  });

  it('installs a newer QEMU from backports', () => {
    const { status, stderr, calls } = install('7.2.22', 0);
    expect(calls).toMatch(/install .*-t \S*backports qemu-system-arm/);
    expect(status).toBe(0);
    expect(stderr).toContain('older than QEMU 10, but there: qemu-system-aarch64');
  });

  it('accepts an older QEMU if nothing can be installed', () => {
    const { status, stderr, calls } = install('9.2.0', 1000);
    expect({ status, calls }).toEqual({ status: 0, calls: '' });
    expect(stderr).toContain('older than QEMU 10');
  });
});
