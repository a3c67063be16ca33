import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { onExit } from './cleanup.js';

/**
 * A shell program that runs another in its place, with a guard beside it. The guard waits for a line from this
 * process. When the pipe closes without one, this process is gone, even by SIGKILL, and the guard kills the group.
 */
const GUARDED = '(read -r _ <&3 || kill -s KILL -- -$$) >/dev/null 2>&1 & exec "$@" 3<&-';
/** What a shell returns for a program that does not exist. */
const MISSING = 127;

/** A program that runs. */
export interface Child {
  /** What it writes to standard output; `null` when that is thrown away. */
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** Resolves when the program has ended and all its output was read; never rejects. */
  readonly ended: Promise<ChildEnd>;
  /** Kills the program and all that it started. */
  kill(): void;
}

/** How a program ended. */
interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it could not be started; `null` when it was. */
  readonly problem: string | null;
}

/** What a program gets. */
export interface ChildOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** False: what it writes to standard output is thrown away. */
  readonly hasOutput?: boolean;
}

/** Starts a program. It and all that it starts end when this process does, however this process ends. */
export function startChild(command: string, args: readonly string[], options: ChildOptions = {}): Child {
  const { hasOutput = true, ...rest } = options;
  const child = spawn('/bin/sh', ['-c', GUARDED, 'sh', command, ...args], {
    ...rest,
    // A process group of its own can be killed as a whole.
    detached: true,
    stdio: ['ignore', hasOutput ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  });
  const kill = (): void => killGroup(child);
  const cancel = onExit(kill);
  const guard = child.stdio[3] as Writable | null;
  // A guard that was killed with its group reads no more.
  guard?.on('error', () => {});
  child.on('exit', () => {
    cancel();
    guard?.end('ended\n');
  });
  const ended = new Promise<ChildEnd>((resolve) => {
    child.on('error', ({ message }) => {
      cancel();
      resolve({ code: null, signal: null, problem: message });
    });
    child.on('close', (code, signal) => {
      const problem = code === MISSING ? `there is no program ${command}` : null;
      resolve({ code, signal, problem });
    });
  });
  return { stdout: child.stdout, stderr: child.stderr, ended, kill };
}

function killGroup({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null || signalCode !== null) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has just ended by itself.
  }
}
