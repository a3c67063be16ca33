import { describe, expect, it } from 'vitest';
import { run } from '../src/run.js';
import { capture } from './support/capture.js';

describe('the command line', () => {
  it.each([[[]], [['--help']], [['-h']], [['help']]])('%j shows the commands', async (args) => {
    const { code, out, err } = await capture(args);
    expect(code).toBe(0);
    expect(err).toBe('');
    expect(out).toContain('USAGE vmarea-bench layout|speed|mmu|replay');
    expect(out).not.toContain('\u001b');
  });

  it.each(['layout', 'speed'])('%s --help shows its options', async (command) => {
    for (const flag of ['--help', '-h']) {
      const { code, out } = await capture([command, flag]);
      expect(code).toBe(0);
      for (const option of ['--format', '--repeat', '--seed', '--json']) expect(out).toContain(option);
    }
  });

  it('help NAME shows the help of a command', async () => {
    const { code, out } = await capture(['help', 'workload']);
    expect(code).toBe(0);
    expect(out).toBe((await capture(['workload', '--help'])).out);
  });

  it('--version shows the version', async () => {
    expect((await capture(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\S*\n$/);
  });

  it.each([
    [['layut'], "unknown command 'layut'\nDid you mean layout?"],
    [['toString'], "unknown command 'toString'\nKnown: layout, speed, mmu, replay"],
    [['--hlep'], "unknown option '--hlep'\nDid you mean --help?\nCommands: layout, speed, mmu, replay"],
    [['--json', 'layout'], "unknown option '--json'"],
    [['x\u001b[31m'], "unknown command 'x\\u{1b}[31m'"],
    [['help', 'layut'], "unknown command 'layut'\nDid you mean layout?"],
    [['help', 'layout', 'speed'], "unexpected argument 'speed' after help layout"],
    [['--version', 'layout'], "unexpected argument 'layout' after --version"],
    [['speed-job'], 'to measure, run: vmarea-bench speed'],
  ])('%j is refused with exit code 2', async (args, message) => {
    const { code, out, err } = await capture(args);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toContain(message);
  });

  it('an internal error ends with exit code 1', async () => {
    let err = '';
    const code = await run(['--version'], {
      stdin: (async function* () {})(),
      stdout: {
        write: () => {
          throw new Error('the disk is full');
        },
      },
      stderr: { write: (text) => (err += text) },
      env: {},
      cwd: '/',
    });
    expect(code).toBe(1);
    expect(err).toMatch(/^vmarea-bench: internal error: Error: the disk is full/);
  });
});
