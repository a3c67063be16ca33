import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { findQemu } from '../../src/mmu/guest/qemu.js';
import { type Bundle, bundleApp } from '../support/bundle.js';
import { fakeCompiler } from '../support/compiler.js';
import { pathOf } from '../support/files.js';
import { HANG, start, Watched } from '../support/real-process.js';

vi.setConfig({ testTimeout: HANG });

let bundle: Bundle;
let watched: Watched;
beforeAll(() => {
  bundle = bundleApp();
});
afterAll(() => bundle.remove());
beforeEach(() => {
  watched = new Watched();
});
afterEach(() => watched.remove());

/** Shell lines that write a text to the pipe and keep the pipe open while the program runs. */
const hold = (text: string): string => `exec 9>'${watched.pipe}'; echo ${text} >&9`;
const SLEEP = 'sleep 1000 & wait';
const QUICK = [
  'speed',
  '--quick',
  '--passes',
  '1',
  '--pages',
  '64',
  '--workload',
  'W3',
  '--format',
  'x86-64',
];
const TRACE = pathOf('test/data/traces/arm64-4k-1cpu');
/** A stream of one request. */
const STREAM = [
  '#page 4096',
  '#w 0 ffffc90000000000 ffffe8ffffffffff',
  '3\t0\t0\tA\tffffc90000000000\t5000\t1\t0\t0',
  '',
].join('\n');

/** A fake QEMU that writes its arguments to the pipe, then runs a shell line. */
function qemu(name: string, version: string, then: string): NodeJS.ProcessEnv {
  const script = `#!/bin/sh\n[ "$1" = --version ] && { ${version}; exit; }\n${hold('"$@"')}\n${then}\n`;
  writeFileSync(join(watched.folder, name), script, { mode: 0o755 });
  return { VMAREA_QEMU: watched.folder };
}

/** Standard error without the lines of progress, whose number depends on the machine. */
const withoutProgress = (err: string): string => err.replaceAll(/^\d+% .*\n/gm, '');

/** Ends a run by a signal when its child runs, and waits until the child has ended. */
async function endBySignal(
  signal: NodeJS.Signals,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<string> {
  const started = start(bundle.cli, args, env);
  const begun = await watched.begunBy(started);
  started.child.kill(signal);
  const { err, ...end } = await started.ended;
  expect(end).toEqual({ code: null, signal });
  expect(withoutProgress(err)).toBe('');
  await watched.gone;
  return begun;
}

describe.skipIf(process.platform === 'win32')('a signal ends a command and its children:', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)('mmu, %s', async (signal) => {
    const env = qemu('qemu-system-x86_64', 'echo QEMU emulator version 10.0.2', SLEEP);
    const begun = await endBySignal(signal, ['mmu', '--format', 'x86-64'], env);
    const [, folder = ''] = /mem-path=(\S+)\/ram/.exec(begun) ?? [];
    expect(folder).toMatch(/vmarea-mmu-/);
    if (signal !== 'SIGKILL') expect(existsSync(folder)).toBe(false);
  });

  it.skipIf(findQemu('qemu-system-riscv64', {}) === null)('mmu with a real QEMU', async () => {
    const [name, path] = ['qemu-system-riscv64', process.env.PATH];
    const env = qemu(name, `PATH='${path}' ${name} --version`, `PATH='${path}' exec ${name} "$@"`);
    await endBySignal('SIGINT', ['mmu', '--format', 'riscv64-sv39', '--seconds', '100000'], env);
  });

  it('speed with a process that measures', async () => {
    const hook = join(watched.folder, 'hook.mjs');
    const held = `import { openSync, writeSync } from 'node:fs';
if (process.argv.includes('speed-job')) {
  writeSync(openSync(${JSON.stringify(watched.pipe)}, 'w'), 'measuring');
  await new Promise(() => setInterval(() => {}, 2 ** 30));
}\n`;
    writeFileSync(hook, held);
    const args = [...QUICK, '--variant', 'array'];
    expect(await endBySignal('SIGINT', args, { NODE_OPTIONS: `--import ${hook}` })).toBe('measuring');
  });

  it('speed with the C compiler, whose temporary files are removed', async () => {
    const compiler = join(watched.folder, 'cc');
    const script = `[ "$1" = --version ] && exit\ntouch "$TMPDIR/half-done.s"\n${hold('"$TMPDIR"')}\n${SLEEP}`;
    writeFileSync(compiler, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const folder = await endBySignal('SIGTERM', [...QUICK, '--variant', 'c'], { CC: compiler });
    expect(folder).toMatch(/vmarea-bench-/);
    expect(existsSync(folder)).toBe(false);
  });

  it('speed with the C program', async () => {
    const CC = fakeCompiler(watched.folder, `${hold('"$0"')}; ${SLEEP}`);
    const program = await endBySignal('SIGINT', [...QUICK, '--variant', 'c'], { CC });
    expect(program).toMatch(/vmarea-bench-\w+\/reference$/);
    expect(existsSync(program)).toBe(false);
  });
});

describe.skipIf(process.platform === 'win32')('a signal ends a command at once:', () => {
  it.each([
    ['layout', '--repeat', '1000'],
    ['workload', 'all', '--test-loop-count', '100000000'],
    ['replay', TRACE, '--format', 'all'],
  ])('%s', async (...args) => {
    // Writes to the pipe when the process starts.
    const hook = join(watched.folder, 'hook.mjs');
    const pipe = JSON.stringify(watched.pipe);
    writeFileSync(
      hook,
      `import { openSync, writeSync } from 'node:fs';\nwriteSync(openSync(${pipe}, 'w'), 'runs');\n`,
    );
    expect(await endBySignal('SIGINT', args, { NODE_OPTIONS: `--import ${hook}` })).toBe('runs');
  });
});

describe.skipIf(process.platform === 'win32')('a closed pipe ends a command without a stack trace:', () => {
  it.each([
    [['--help']],
    [['layout', '--repeat', '1', '--format', 'x86-64', '--leaves', 'base']],
    [[...QUICK, '--variant', 'array']],
    [['workload', 'vrealloc_test', '--test-loop-count', '1', '--format', 'x86-64']],
    [['replay', 'FILE']],
    [['mmu']],
  ])('%j', async (args) => {
    const file = join(watched.folder, 'stream.tsv');
    writeFileSync(file, STREAM);
    const given = args.map((arg) => (arg === 'FILE' ? file : arg));
    const { child, ended } = start(bundle.cli, given, { VMAREA_QEMU: watched.folder });
    child.stdout?.destroy();
    const { code, signal, err } = await ended;
    expect({ code, signal }).toEqual({ code: null, signal: 'SIGPIPE' });
    expect(withoutProgress(err)).toBe('');
  });

  it('standard error', async () => {
    const { child, ended } = start(bundle.cli, ['layout', '--repeat', '0']);
    child.stderr?.destroy();
    expect(await ended).toMatchObject({ code: null, signal: 'SIGPIPE' });
  });
});
