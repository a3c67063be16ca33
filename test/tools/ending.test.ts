import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { isRunning } from '../../tools/support/ending.mjs';

const support = fileURLToPath(new URL('../../tools/support/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'vmarea-ending-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A tool with a temporary folder and a child that has a child: both would run for ever. */
const TOOL = `
  const { printed, run } = await import(${JSON.stringify(`${support}run.mjs`)});
  const { temporaryFolder } = await import(${JSON.stringify(`${support}temporary.mjs`)});
  temporaryFolder('test');
  const grandchild = "console.log(process.pid); setInterval(() => {}, 1000);";
  const child = 'require("node:child_process").spawn(process.execPath, ["-e", process.argv[1]], { stdio: "inherit" });' +
    'console.log(process.pid); setInterval(() => {}, 1000);';
  await run(process.execPath, ['-e', child, grandchild]);`;

/** Starts a program and waits until the tool's child and grandchild have said their ids. */
async function started(command: string, args: string[]): Promise<{ process: ChildProcess; pids: number[] }> {
  const process = spawn(command, args, {
    env: { ...globalThis.process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  while (text.split('\n').length < 3) text += String((await once(process.stdout, 'data'))[0]);
  return { process, pids: text.trim().split('\n').map(Number) };
}

/** Waits for what must come. The test's limit ends it where it does not. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 20));
}

const onUnix = test.skipIf(process.platform === 'win32');

onUnix.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('%s ends a tool, its children and theirs, and removes its folders', async (signal, code) => {
  const tool = await started(process.execPath, ['--input-type=module', '-e', TOOL]);
  expect(readdirSync(folder)).not.toEqual([]);
  const closed = once(tool.process, 'close');
  tool.process.kill(signal);
  expect(await closed).toEqual([code, null]);
  await until(() => !tool.pids.some(isRunning));
  expect(readdirSync(folder)).toEqual([]);
});

onUnix('a tool ends when the shell that started it is killed', async () => {
  // Two commands: a shell replaces itself by the last one.
  const shell = await started('sh', ['-c', '"$0" --input-type=module -e "$1"; true', process.execPath, TOOL]);
  expect(readdirSync(folder)).not.toEqual([]);
  shell.process.kill('SIGKILL');
  await until(() => !shell.pids.some(isRunning));
  await until(() => readdirSync(folder).length === 0);
  expect(existsSync(folder)).toBe(true);
});
