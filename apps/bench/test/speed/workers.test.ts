import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CheckError } from '@vmarea/cli';
import { AddressSpace, FrameAllocator, PhysicalMemory, VM_SPARSE, type VmArea } from '@vmarea/core';
import * as v from 'valibot';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { openWork } from '../../src/speed/workers/works.js';
import { type Bundle, bundleApp } from '../support/bundle.js';
import { type Captured, capture } from '../support/capture.js';
import { HANG, start } from '../support/real-process.js';
import { workersShape } from '../support/shapes.js';
import { configurationOf } from '../support/speed.js';

vi.setConfig({ testTimeout: HANG });

const folder = mkdtempSync(join(tmpdir(), 'vmarea-workers-'));
let bundle: Bundle;
beforeAll(() => {
  bundle = bundleApp();
});
afterAll(() => {
  bundle.remove();
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  vi.restoreAllMocks();
});

const SMALL = ['speed', '--workers', '2', '--pages', '64', '--repeat', '3'];

/** Runs the command with workers of the bundled app, or of a program. */
const run = (args: readonly string[], script: string = bundle.cli, surroundings = {}): Promise<Captured> =>
  capture(args, { script, ...surroundings });

/** Runs the command with workers that do something made up. */
function withWorker(program: string): Promise<Captured> {
  const script = join(folder, 'worker.mjs');
  writeFileSync(script, `import { parentPort, workerData } from 'node:worker_threads';\n${program}\n`);
  return run([...SMALL, '--format', 'x86-64'], script);
}

describe('speed --workers', () => {
  it('--json prints the documented shape, with all works in each format', async () => {
    const formats = ['x86-64', 'arm64-64k-48'];
    const { code, out, err } = await run([...SMALL, '--format', formats.join(), '--seed', '9', '--json']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const result = v.parse(workersShape, JSON.parse(out));
    expect(result).toMatchObject({ seed: 9, workers: 2, pages: 64, repeat: 3, warmUp: 12 });
    expect(result.rows.map(({ configuration, pageBytes, work }) => [configuration, pageBytes, work])).toEqual(
      [
        ['x86-64', 4096, 'apart'],
        ['x86-64', 4096, 'private'],
        ['x86-64', 4096, 'sparse'],
        ['x86-64', 4096, 'neighbours'],
        ['arm64-64k-48', 65536, 'apart'],
        ['arm64-64k-48', 65536, 'private'],
        ['arm64-64k-48', 65536, 'sparse'],
        ['arm64-64k-48', 65536, 'neighbours'],
      ],
    );
    for (const { one, all, scaling, work, roundPages } of result.rows) {
      expect(scaling).toBe(one.median / all.median);
      expect(roundPages).toBe(work === 'apart' || work === 'private' ? 256 : 64);
      for (const { min, median, max } of [one, all]) {
        expect(min).toBeGreaterThan(0);
        expect(median).toBeGreaterThanOrEqual(min);
        expect(max).toBeGreaterThanOrEqual(median);
      }
    }
  });

  it('prints a table and a legend, and warns when there are more workers than processors', async () => {
    const args = ['speed', '--workers', '16', '--pages', '64', '--repeat', '1', '--format', 'x86-64'];
    const { code, out } = await run(args, bundle.cli, { columns: 100, tty: true, env: { NO_COLOR: '1' } });
    expect(code).toBe(0);
    expect(out).toMatch(/^Seed 1\. 16 workers over one address space\. 1 round with one worker/m);
    expect(out).toMatch(/^format +work +1 worker ns +MAD +all ns +MAD +scaling +pages$/m);
    expect(out).toMatch(/^x86-64 +apart( +[\d,.]+){5} +256$/m);
    expect(out).toMatch(/^x86-64 +private( +[\d,.]+){5} +256$/m);
    expect(out).toMatch(/^x86-64 +sparse( +[\d,.]+){5} +64$/m);
    expect(out).toMatch(/^scaling {2}how many times as many pages/m);
    const { cores } = JSON.parse((await run([...SMALL, '--format', 'x86-64', '--json'])).out).machine;
    expect(out.includes(`16 workers share ${cores} processors here`)).toBe(cores < 16);
    expect(out.split('\n').filter((line) => line.length > 100)).toEqual([]);
  });

  it('--markdown is a Markdown table', async () => {
    const { code, out } = await run([...SMALL, '--format', 'x86-64', '--markdown']);
    expect(code).toBe(0);
    expect(out).toContain('| format | work | 1 worker ns | MAD | all ns | MAD | scaling | pages |');
    expect(out).toMatch(/^- `private`: each worker maps/m);
    expect(out.match(/^\| x86-64 \| (apart|private|sparse|neighbours) \|/gm)).toHaveLength(4);
  });

  it('runs as a process of its own', async () => {
    const { ended } = start(bundle.cli, [...SMALL, '--format', 'x86-64']);
    expect(await ended).toMatchObject({ code: 0, signal: null });
  });

  it.skipIf(process.platform === 'win32')('ends by Ctrl-C in the middle of its rounds', async () => {
    const args = ['speed', '--workers', '2', '--repeat', '1000', '--format', 'x86-64'];
    const { child, ended } = start(bundle.cli, args);
    // A long run says how far it is.
    child.stderr?.once('data', () => child.kill('SIGINT'));
    expect(await ended).toMatchObject({ code: null, signal: 'SIGINT' });
  });
});

describe('a worker that fails ends the run:', () => {
  const failed = (exitCode: number): string =>
    `parentPort.postMessage({ failed: { message: 'page 3 maps no frame', exitCode: ${exitCode} } });`;

  it.each([
    ['by a wrong result', failed(1), 1, /^vmarea-bench: page 3 maps no frame$/m],
    ['by a mistake of the caller', failed(2), 2, /^vmarea-bench: page 3 maps no frame$/m],
    ['by an error', "throw new RangeError('so it is');", 1, /internal error: RangeError: so it is/],
    ['by its end', 'process.exit(3);', 1, /internal error: Error: worker \d ended with code 3/],
    [
      'while others wait for it',
      `${failed(1)} if (workerData.vmareaSpeedWorker.index > 0) for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);`,
      1,
      /page 3 maps no frame/,
    ],
  ])('%s', async (_, program, exitCode, message) => {
    const { code, out, err } = await withWorker(program);
    expect({ code, out }).toEqual({ code: exitCode, out: '' });
    expect(err).toMatch(message);
  });
});

describe('a round of a worker', () => {
  function space(): AddressSpace {
    const { format, linux } = configurationOf('x86-64');
    const memory = PhysicalMemory.create({ bytes: 1 << 20 });
    return new AddressSpace({ format, linux, memory, frames: new FrameAllocator(memory) });
  }

  function place() {
    const kernel = space();
    return {
      kernel,
      own: space(),
      index: 1,
      pages: 64,
      seed: 1,
      shared: kernel.getVmArea(128 * 4096, VM_SPARSE),
    };
  }

  it.each(['apart', 'private', 'sparse', 'neighbours'] as const)('of %s leaves nothing mapped', (name) => {
    const { kernel, own, shared, ...rest } = place();
    const round = openWork(name, { kernel, own, shared, ...rest });
    round.run(2);
    round.check(2);
    expect([...kernel.table.leaves(), ...own.table.leaves()]).toEqual([]);
    round.end();
    kernel.freeVmArea(shared);
    kernel.destroy();
    own.destroy();
  });

  it.each(['sparse', 'neighbours'] as const)(
    'of %s populates every other page of the area with two workers',
    (name) => {
      const { shared, ...rest } = place();
      openWork(name, { shared, ...rest }).run(2);
      const mapped = Array.from({ length: 128 }, (_, page) => shared.frameAt(page) >= 0);
      expect(mapped).toEqual(mapped.map((_, page) => page % 2 === 1));
    },
  );

  it.each(['apart', 'private', 'sparse', 'neighbours'] as const)(
    'of %s finds a page that maps another frame',
    (name) => {
      const here = place();
      const areas = Object.getPrototypeOf(here.shared) as VmArea;
      const { map } = areas;
      vi.spyOn(areas, 'map').mockImplementation(function (this: VmArea, page, frames) {
        const next =
          typeof frames === 'number' ? frames + 1 : Array.from(frames as Uint32Array, (one) => one + 1);
        map.call(this, page, next);
      });
      const round = openWork(name, here);
      round.run(2);
      expect(() => round.check(2)).toThrow(CheckError);
    },
  );
});

describe('speed --workers refuses', () => {
  it.each([
    [['--workers', '1'], "--workers must be a whole number from 2 to 16, not '1'"],
    [['--workers', '17'], "--workers must be a whole number from 2 to 16, not '17'"],
    [['--workers'], '--workers needs a value: --workers N'],
    [['--workers', '2', '--pages', '100'], 'with --workers, --pages must be a multiple of 64, not 100'],
    [['--workers', '2', '--pages', '65600'], '--pages must be a whole number from 64 to 65536'],
    [['--workers', '2', '--repeat', '0'], '--repeat must be a whole number from 1 to 1000'],
    [['--workers', '2', '--format', 'x86'], "unknown format 'x86'"],
    [['--workers', '2', '--json', '--markdown'], '--json and --markdown exclude each other'],
    [['--workers', '2', '--quick'], '--workers and --quick exclude each other; give one of them'],
    ...['workload', 'variant', 'passes', 'warm-up', 'compare'].map((name): [string[], string] => [
      ['--workers', '2', `--${name}`, '1'],
      `--workers and --${name} exclude each other; give one of them`,
    ]),
  ])('%j', async (args, message) => {
    const { code, out, err } = await capture(['speed', ...args]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(message);
  });
});
