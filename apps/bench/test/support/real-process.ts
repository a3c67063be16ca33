import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, createReadStream, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Milliseconds after which a test of several processes hangs: each takes seconds to start on a busy machine. */
export const HANG = 180_000;

/** A process that a test started. */
export interface Started {
  readonly child: ChildProcess;
  /** How it ended, and what it wrote to standard error. */
  readonly ended: Promise<{ code: number | null; signal: string | null; err: string }>;
}

/**
 * Runs a program in a process of its own.
 *
 * @param file - of a bundle.
 */
export function start(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Started {
  const child = spawn(process.execPath, [file, ...args], {
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

/** A folder with a named pipe that tells when programs begin and when the last of them is gone. */
export class Watched {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'vmarea-watched-'));
  readonly pipe: string = join(this.folder, 'pipe');
  readonly #begun: Promise<string>;
  /** Resolves when no program holds the pipe open any more. */
  readonly gone: Promise<unknown>;

  constructor() {
    execFileSync('mkfifo', [this.pipe]);
    const stream = createReadStream(this.pipe, 'utf8');
    this.#begun = once(stream, 'data').then(([text]) => String(text).trim());
    this.gone = once(stream, 'close');
  }

  /** What the first program writes when it begins; fails when the process ends before that. */
  begunBy({ ended }: Started): Promise<string> {
    const failed = ended.then((end) => {
      throw new Error(`it ended too early: ${JSON.stringify(end)}`);
    });
    return Promise.race([this.#begun, failed]);
  }

  /** Removes the folder. A reader that still waits for a first program is let go. */
  remove(): void {
    closeSync(openSync(this.pipe, constants.O_RDWR | constants.O_NONBLOCK));
    rmSync(this.folder, { recursive: true });
  }
}
