import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { beforeAll, describe, expect, test } from 'vitest';
import { capture } from './support/capture.js';
import { dumpOf, temporary, X86 } from './support/dumps.js';

const app = fileURLToPath(new URL('..', import.meta.url));
let cli = '';
let dump = '';

beforeAll(() => {
  const folder = join(temporary(), 'app');
  mkdirSync(folder);
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: '@vmarea/inspect', version: '0.0.0', type: 'module' }),
  );
  symlinkSync(join(app, 'node_modules'), join(folder, 'node_modules'));
  cli = join(folder, 'cli.js');
  buildSync({
    ...{ entryPoints: [join(app, 'src/cli.ts')], outfile: cli, bundle: true, logLevel: 'warning' },
    ...{ format: 'esm', platform: 'node', target: 'es2023', conditions: ['@vmarea/source'] },
    external: ['citty', 'cli-progress', 'cli-table3', 'leven', 'picocolors', 'valibot'],
  });
  dump = dumpOf(X86);
});

describe('the process', () => {
  test('ends with a closed pipe, without a word', () => {
    const { status, stdout, stderr } = shell(
      `node ${cli} leaves ${dump} 2>/dev/null | head -2; echo "\${PIPESTATUS[0]}"`,
    );
    expect(status).toBe(0);
    const lines = stdout.trim().split('\n');
    expect(lines[0]).toMatch(/^# x86-64, root 0x0000000002c22000/);
    expect(lines.at(-1)).toBe('141');
    expect(stderr).toBe('');
  });

  test('ends with SIGINT while it waits for addresses', async () => {
    const child = spawn(process.execPath, [cli, 'translate', dump], {
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    let out = '';
    child.stdout.on('data', (text) => {
      out += text;
      child.kill('SIGINT');
    });
    // More than a batch, so that something comes back.
    child.stdin.on('error', () => {});
    child.stdin.write('ffffffff93e00000\n'.repeat(5000));
    const [, signal] = await once(child, 'exit');
    expect(signal).toBe('SIGINT');
    expect(out).toContain('0xffffffff93e00000  0x0000000001000000  2M\n');
  });
});

describe('completion', () => {
  test('makes a script with which bash completes commands, options and files', async () => {
    const script = join(temporary(), 'completion.bash');
    writeFileSync(script, (await capture(['completion', 'bash'])).out);
    const completed = (words: readonly string[]): string[] => {
      const line = words.map((word) => `'${word}'`).join(' ');
      const text = `source ${script}; cd ${temporary()}; COMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _vmarea_inspect; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return shell(text).stdout.trim().split('\n');
    };
    expect(completed(['vmarea-inspect', 'st'])).toEqual(['stats']);
    expect(completed(['vmarea-inspect', 'find', '--wr'])).toEqual(['--writable']);
    expect(completed(['vmarea-inspect', 'leaves', 'x86'])).toEqual([X86.file]);
    expect(completed(['vmarea-inspect', 'completion', ''])).toEqual(['bash', 'zsh', 'fish']);
  });

  test.each(['zsh', 'fish'])('names every command and option for %s', async (name) => {
    const { out } = await capture(['completion', name]);
    for (const word of ['info', 'walk', 'translate', 'writable', 'ttbr1', 'output'])
      expect(out).toContain(word);
    expect(out).not.toContain('undefined');
  });
});

function shell(text: string): { status: number; stdout: string; stderr: string } {
  try {
    const stdout = execFileSync('bash', ['-c', text], {
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    return { status: 0, stdout, stderr: '' };
  } catch (error) {
    const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string };
    return { status, stdout, stderr };
  }
}
