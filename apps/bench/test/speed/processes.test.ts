import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CheckError, UsageError } from '@vmarea/cli';
import * as v from 'valibot';
import { afterAll, describe, expect, it } from 'vitest';
import type { Job } from '../../src/speed/job.js';
import { JOB_COMMAND, spawning } from '../../src/speed/processes.js';
import { roundsFor, turns } from '../../src/speed/schedule.js';
import { chooseWorkloads } from '../../src/speed/workloads/registry.js';
import { bundleApp } from '../support/bundle.js';
import { capture } from '../support/capture.js';
import { HANG, start } from '../support/real-process.js';
import { speedShape } from '../support/shapes.js';
import { configurationOf, measured, small } from '../support/speed.js';

const folder = mkdtempSync(join(tmpdir(), 'vmarea-processes-'));
afterAll(() => rmSync(folder, { recursive: true }));

const job: Job = {
  ...{ configuration: 'x86-64', variant: 'array', workloads: ['W3'] },
  ...{ pages: 64, seed: 1, rounds: 2, warmUp: 1, warmUpMs: 0 },
};

/** Runs the job in a child that does something made up. */
function child(program: string) {
  const script = join(folder, 'child.mjs');
  writeFileSync(script, program);
  return spawning(script, folder).run(job);
}

describe('a child process', () => {
  it('gets the job as an argument, and returns an answer', async () => {
    const answer = `console.log(JSON.stringify({ measured: process.argv.slice(2) }))`;
    expect(await child(answer)).toEqual([JOB_COMMAND, JSON.stringify(job)]);
  });

  it.each([
    [1, CheckError],
    [2, UsageError],
  ])('ends the run by an answer with exit code %d', async (exitCode, kind) => {
    const failed = JSON.stringify({ failed: { message: 'W3: so it is', exitCode } });
    const run = child(`console.log(${JSON.stringify(failed)})`);
    await expect(run).rejects.toThrow(kind);
    await expect(run).rejects.toThrow(/^W3: so it is$/);
  });

  it.each([
    ['console.error("out of memory"); process.exitCode = 3', 'out of memory'],
    ['process.exitCode = 3', 'ended with code 3'],
    ['process.kill(process.pid, "SIGKILL")', 'ended with SIGKILL'],
  ])('is an error if it dies (%s)', async (program, message) => {
    await expect(child(program)).rejects.toThrow(message);
  });

  it('answers with its measurements', async () => {
    const { code, out } = await capture([JOB_COMMAND, JSON.stringify(job)]);
    expect(code).toBe(0);
    const { work, checksum } = await measured(configurationOf('x86-64'), 'W3', { variant: 'array' });
    expect(JSON.parse(out)).toMatchObject({ measured: [{ workload: 'W3', units: 64, work, checksum }] });
  });
});

describe('the order of the processes', () => {
  const rounds = { rounds: 1, warmUp: 1, warmUpMs: 0, passes: 2 };
  const order = (ids: string, passes: number, of: Parameters<typeof turns<string>>[3]) =>
    turns(['wasm', 'array', 'c'], chooseWorkloads(ids), passes, of).map(
      ({ pass, column, workloads }) => `${pass} ${column} ${workloads.join('+')}`,
    );

  it('is by family, and backwards in every other pass', () => {
    expect(order('W1,W3', 2, () => rounds)).toEqual([
      ...['0 wasm W1.fresh+W1.existing', '0 array W1.fresh+W1.existing', '0 c W1.fresh+W1.existing'],
      ...['0 wasm W3', '0 array W3', '0 c W3'],
      ...['1 c W1.fresh+W1.existing', '1 array W1.fresh+W1.existing', '1 wasm W1.fresh+W1.existing'],
      ...['1 c W3', '1 array W3', '1 wasm W3'],
    ]);
  });

  it('leaves out columns without the workload, and passes of large workloads', () => {
    const found = order('W3', 3, (column) => (column === 'c' ? null : rounds));
    expect(found).toEqual(['0 wasm W3', '0 array W3', '1 array W3', '1 wasm W3']);
  });
});

describe('the rounds of a large workload', () => {
  const plan = { pages: 64, seed: 1, repeat: 7, warmUp: 24, warmUpMs: 300, passes: 4 };

  it.each([
    [2 ** 20, { rounds: 7, warmUp: 24, warmUpMs: 300, passes: 4 }],
    [2 ** 24, { rounds: 4, warmUp: 2, warmUpMs: 0, passes: 4 }],
    [2 ** 24 + 1, { rounds: 2, warmUp: 1, warmUpMs: 0, passes: 2 }],
  ])('%d units', (units, rounds) => {
    expect(roundsFor(units, plan)).toEqual(rounds);
  });

  it('never exceed the options', () => {
    const one = { ...plan, repeat: 1, warmUp: 0, warmUpMs: 0, passes: 1 };
    for (const units of [1, 2 ** 21, 2 ** 25]) {
      expect(roundsFor(units, one)).toEqual({ rounds: 1, warmUp: 0, warmUpMs: 0, passes: 1 });
    }
  });
});

describe('speed', () => {
  it(
    'measures in real children',
    async () => {
      const args = [
        ...small,
        '--passes',
        '1',
        '--workload',
        'W3',
        '--format',
        'x86-64,x86-64-la57',
        '--json',
      ];
      const bundle = bundleApp();
      const { child, ended } = start(bundle.cli, args);
      let out = '';
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        out += text;
      });
      expect(await ended).toMatchObject({ code: 0, signal: null });
      bundle.remove();
      const { rows } = v.parse(speedShape, JSON.parse(out));
      expect(rows.map(({ configuration }) => configuration)).toEqual(['x86-64', 'x86-64-la57']);
      for (const row of rows) {
        expect([row.wasm?.loops, row.array?.loops]).toEqual(['wasm', 'array']);
        expect(row.wasm?.samples).toBe(row.rounds * row.passes);
      }
    },
    HANG,
  );
});
