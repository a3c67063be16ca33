import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { capture } from '../support/capture.js';
import { dumpOf, RISCV64, temporary } from '../support/dumps.js';

const { writeSync } = fs;

/** Replaces the call that writes: it is told how often it was called. */
function writeAs(write: (calls: number, fd: number, bytes: Uint8Array, from: number) => number): void {
  let calls = 0;
  fs.writeSync = ((fd: number, bytes: Uint8Array, from = 0) => write(calls++, fd, bytes, from)) as never;
  syncBuiltinESMExports();
}

afterEach(() => {
  fs.writeSync = writeSync;
  syncBuiltinESMExports();
});

const exportTo = (output: string) => capture(['export', dumpOf(RISCV64), '--output', output]);

describe('export', () => {
  test('writes the same file where the system takes less than it is given', async () => {
    const [whole, short] = ['whole', 'short'].map((name) => join(temporary(), name)) as [string, string];
    await exportTo(whole);
    writeAs((_, fd, bytes, from) => writeSync(fd, bytes, from, Math.min(1000, bytes.length - from)));
    expect((await exportTo(short)).code).toBe(0);
    expect(fs.readFileSync(short).equals(fs.readFileSync(whole))).toBe(true);
    expect(fs.existsSync(`${short}.part`)).toBe(false);
  });

  test('leaves nothing when a write fails', async () => {
    const output = join(temporary(), 'full');
    writeAs((calls, fd, bytes, from) => {
      if (calls === 5) throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
      return writeSync(fd, bytes, from);
    });
    const { code, err } = await exportTo(output);
    expect([code, err]).toEqual([2, expect.stringContaining(`cannot write ${output}: `)]);
    expect([output, `${output}.part`].map((file) => fs.existsSync(file))).toEqual([false, false]);
  });

  test("does not touch another's file of the name that it writes to first", async () => {
    const output = join(temporary(), 'taken');
    fs.writeFileSync(`${output}.part`, 'mine');
    expect((await exportTo(output)).err).toContain(`${output}.part: it exists already`);
    expect(fs.readFileSync(`${output}.part`, 'utf8')).toBe('mine');
  });

  test('removes what it wrote when a signal ends the process', async () => {
    const output = join(temporary(), 'ended');
    const there: boolean[] = [];
    const before = process.listeners('exit');
    writeAs((calls, fd, bytes, from) => {
      if (calls === 5) {
        // The action that a signal runs first.
        for (const one of process.listeners('exit').filter((listener) => !before.includes(listener))) {
          there.push(fs.existsSync(`${output}.part`));
          one(0);
          there.push(fs.existsSync(`${output}.part`));
        }
      }
      return writeSync(fd, bytes, from);
    });
    await exportTo(output);
    expect(there).toEqual([true, false]);
  });
});
