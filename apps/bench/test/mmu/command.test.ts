import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { writeCase } from '../../src/mmu/case-file.js';
import { findQemu } from '../../src/mmu/guest/qemu.js';
import { TARGETS } from '../../src/mmu/targets/index.js';
import { capture } from '../support/capture.js';
import { HANG } from '../support/real-process.js';

const folder = mkdtempSync(join(tmpdir(), 'vmarea-mmu-'));
afterAll(() => rmSync(folder, { recursive: true }));

const NOWHERE = { VMAREA_QEMU: folder };

describe('mmu without QEMU', () => {
  it('says what to install, and succeeds', async () => {
    const { code, out } = await capture(['mmu'], { env: NOWHERE });
    expect(code).toBe(0);
    const text = out.replaceAll(/\s+/g, ' ');
    expect(text).toContain(
      'qemu-system-aarch64 is missing; on Debian and Ubuntu: apt-get install qemu-system-arm',
    );
    expect(text).toContain('Skipped x86-64, x86-64-la57: qemu-system-x86_64 is missing');
    expect(text).toContain('No format was compared with an MMU.');
  });

  it('fails if VMAREA_MMU requires it', async () => {
    const { code, out, err } = await capture(['mmu'], { env: { ...NOWHERE, VMAREA_MMU: 'required' } });
    expect(code).toBe(1);
    expect(out).toBe('');
    expect(err).toContain(
      'VMAREA_MMU is required, but arm64-4k-48 cannot be judged: qemu-system-aarch64 is missing',
    );
  });

  it('does not take another program for QEMU', async () => {
    const fake = join(folder, 'qemu-system-riscv64');
    writeFileSync(fake, '#!/bin/sh\necho hello\n', { mode: 0o755 });
    const { out } = await capture(['mmu', '--format', 'riscv64-sv39'], { env: NOWHERE });
    expect(out).toContain('qemu-system-riscv64 is missing');
  });

  it('shows the message of a QEMU that does not start', async () => {
    const fake = join(folder, 'qemu-system-x86_64');
    const script =
      '#!/bin/sh\n[ "$1" = --version ] && { echo QEMU emulator version 9.1.0; exit; }\necho no such board >&2\nexit 1\n';
    writeFileSync(fake, script, { mode: 0o755 });
    const { code, err } = await capture(['mmu', '--format', 'x86-64'], { env: NOWHERE });
    expect(code).toBe(1);
    expect(err).toContain('QEMU ended: no such board');
  });
});

describe('the command line of mmu', () => {
  it.each([
    [['--addresses', '0'], '--addresses must be a whole number from 1 to 100000000'],
    [['--seconds', 'x'], '--seconds must be a whole number'],
    [['--seconds', '5', '--addresses', '5'], '--seconds and --addresses both set the length'],
    [['--format', 'x86'], "unknown format 'x86'"],
    [['--case', 'none.json'], 'none.json: there is no such file'],
    [['--case', 'none.json', '--seed', '3'], '--seed has no effect with --case'],
    [['--case', 'none.json', '--planted'], '--planted has no effect with --case'],
    [['--planted', '--seconds', '3'], '--seconds has no effect with --planted'],
    [['--plantd'], 'Did you mean --planted?'],
  ])('%j is refused', async (args, message) => {
    const { code, out, err } = await capture(['mmu', ...args], { cwd: folder, env: NOWHERE });
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toContain(message);
  });

  it('refuses another value of VMAREA_MMU', async () => {
    const { code, out, err } = await capture(['mmu'], { env: { ...NOWHERE, VMAREA_MMU: 'require' } });
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toContain("unknown value of VMAREA_MMU 'require'\nDid you mean required?");
  });

  /** The message about a changed case file. */
  async function refusalOf(change: (text: string) => string): Promise<string> {
    const path = writeCase(folder, {
      ...{ configuration: 'x86-64', settings: {}, root: 0x200_0000n },
      entries: new Map([[0x200_0800n, 1n]]),
      jobs: [{ va: 0n, mask: 1 }],
      from: { qemu: '9.1.0', seed: 1, batch: 0, tables: 'random', planted: null, alone: true },
      differences: [],
    });
    writeFileSync(path, change(readFileSync(path, 'utf8')));
    // The mistake is found before this program has to answer.
    const fake = join(folder, 'qemu-system-x86_64');
    const script =
      '#!/bin/sh\n[ "$1" = --version ] && { echo QEMU emulator version 9.1.0; exit; }\nsleep 1000\n';
    writeFileSync(fake, script, { mode: 0o755 });
    const { code, out, err } = await capture(['mmu', '--case', path], { env: NOWHERE });
    expect(code).toBe(2);
    expect(out).toBe('');
    return err;
  }

  it.each([
    ['a configuration', '"x86-64"', '"x86-65"', "unknown configuration 'x86-65'\nDid you mean x86-64?"],
    [
      'a planted fault',
      '"planted": null',
      '"planted": "SMEP is ignord"',
      "unknown planted fault 'SMEP is ignord'\nDid you mean SMEP is ignored?",
    ],
    [
      'memory that the machine does not have',
      '"0x0000000002000800"',
      '"0x0000f00000000000"',
      'cannot repeat the case: EFAULT',
    ],
  ])('refuses a case with %s that does not exist', async (_, from, to, message) => {
    expect(await refusalOf((text) => text.replace(from, to))).toContain(message);
  });
});

const isComplete = TARGETS.every(({ binary }) => findQemu(binary, process.env) !== null);
if (!isComplete) console.warn('Tests with QEMU are skipped: not all of its processors are on this machine.');

describe.skipIf(!isComplete)('mmu with QEMU', () => {
  const env = { PATH: process.env.PATH, VMAREA_QEMU: process.env.VMAREA_QEMU };

  it(
    'judges a format of each target',
    async () => {
      const formats = 'arm64-16k-47-cont,riscv64-sv39-napot,x86-64-la57';
      const { code, out } = await capture(
        ['mmu', '--format', formats, '--addresses', '500', '--seed', '3', '--json'],
        { env, cwd: folder },
      );
      expect(code).toBe(0);
      const { rows, skipped } = JSON.parse(out);
      expect(skipped).toEqual([]);
      expect(rows.map(({ configuration }: { configuration: string }) => configuration).join(',')).toBe(
        formats,
      );
      for (const { addresses, differences, outcomes } of rows) {
        expect(addresses).toBeGreaterThanOrEqual(500);
        expect(differences).toBe(0);
        expect(outcomes.done.PTE).toBeGreaterThan(0);
        expect(outcomes.permission.PTE).toBeGreaterThan(0);
      }
    },
    HANG,
  );

  it(
    'finds planted faults, and their case files show them',
    async () => {
      const planted = await capture(['mmu', '--planted', '--format', 'x86-64', '--cases', 'here'], {
        ...{ env, cwd: folder },
        columns: 300,
      });
      expect(planted.code).toBe(0);
      const file = /here\/\S+SMEP\S+\.json/.exec(planted.out)?.[0] ?? '';
      const { code, out, err } = await capture(['mmu', '--case', file], { env, cwd: folder });
      expect(code).toBe(1);
      expect(out).toMatch(/kernel execute: done at 0x\w+, but the MMU: #PF 0x11/);
      expect(err).toContain('differ in 1 place');
    },
    HANG,
  );
});
