import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const tool = fileURLToPath(new URL('../../tools/example/run.mjs', import.meta.url));
const run = (...args: string[]) => spawnSync(process.execPath, [tool, ...args], { encoding: 'utf8' });

describe('npm run example', () => {
  test('lists all examples with what they show', () => {
    const { status, stdout } = run();
    expect(status).toBe(0);
    expect(stdout).toMatch(/^npm run example open-an-image +Read the page tables of a stopped Linux guest$/m);
    expect(stdout.trim().split('\n').length).toBeGreaterThan(5);
  });

  test('runs one, and prints nothing else', () => {
    const { status, stdout, stderr } = run('open-an-image');
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^165 0x0000000143548000\n/);
    expect(status).toBe(0);
  });

  test('refuses a name that it does not know, and says the nearest', () => {
    const { status, stdout, stderr } = run('lazyarea');
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toBe(
      'example: there is no example lazyarea: did you mean lazy-area? `npm run example` lists all\n',
    );
  });

  test('refuses arguments', () => {
    expect(run('lazy-area', '--fast')).toMatchObject({ status: 2, stdout: '' });
  });
});
