import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, createReadStream, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathOf } from './files.js';

/** What stands before a program's own file: see from-sources.mjs. */
const FROM_SOURCES = ['--import', pathOf('test/support/from-sources.mjs')];

/** A process that a test started. */
export interface Started {
  readonly child: ChildProcess;
  /** How it ended, and what it wrote to standard error. */
  readonly ended: Promise<{ code: number | null; signal: string | null; err: string }>;
}

/** Runs a program of the app from its sources, in a process of its own. */
export function start(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Started {
  const child = spawn(process.execPath, [...FROM_SOURCES, pathOf(file), ...args], {
    cwd: '/',
    env: { ...process.env, NODE_OPTIONS: '', ...env },
  });
  let err = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  child.stdin?.on('error', () => {});
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, err }));
  return { child, ended };
}

/** Runs the command line in a process of its own. */
export function startBench(args: readonly string[], env: NodeJS.ProcessEnv = {}): Started {
  return start('src/cli.ts', args, env);
}

/** A folder with a named pipe that tells when programs begin and when the last of them is gone. */
export class Watched {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'vmarea-watched-'));
  readonly pipe: string = join(this.folder, 'pipe');
  /** What the programs write when they begin. */
  readonly begun: Promise<string>;
  /** Resolves when no program holds the pipe open any more. */
  readonly gone: Promise<unknown>;

  constructor() {
    execFileSync('mkfifo', [this.pipe]);
    const stream = createReadStream(this.pipe, 'utf8');
    this.begun = once(stream, 'data').then(([text]) => String(text).trim());
    this.gone = once(stream, 'close');
  }

  /** Removes the folder. A reader that still waits for a first program is let go. */
  remove(): void {
    closeSync(openSync(this.pipe, constants.O_RDWR | constants.O_NONBLOCK));
    rmSync(this.folder, { recursive: true });
  }
}
