import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { onExit } from './cleanup.js';

/**
 * A shell script that starts a guard and becomes the program. The guard reads a line from this process. If the pipe
 * closes without a line, this process has ended, perhaps by SIGKILL. Then the guard kills the process group.
 */
const GUARDED = '(read -r _ <&3 || kill -s KILL -- -$$) >/dev/null 2>&1 & exec "$@" 3<&-';
/** The exit code of a shell for a program that does not exist. */
const MISSING = 127;

/** A running program. */
export interface Child {
  /** Its standard output; `null` when that is discarded. */
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** Resolves when the program has ended and all its output was read. It never rejects. */
  readonly ended: Promise<ChildEnd>;
  /** Kills the program and all its children. */
  kill(): void;
}

/** How a program ended. */
interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it did not start; `null` when it did. */
  readonly problem: string | null;
}

/** How to start a program. */
export interface ChildOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** False: discard its standard output. Default true. */
  readonly hasOutput?: boolean;
}

/** Starts a program. It ends with all its children when this process ends, in whatever way. */
export function startChild(command: string, args: readonly string[], options: ChildOptions = {}): Child {
  const { hasOutput = true, ...rest } = options;
  const child = spawn('/bin/sh', ['-c', GUARDED, 'sh', command, ...args], {
    ...rest,
    // Its own process group, which `kill` ends as a whole.
    detached: true,
    stdio: ['ignore', hasOutput ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  });
  const kill = (): void => killGroup(child);
  const cancel = onExit(kill);
  const guard = child.stdio[3] as Writable | null;
  // Writing to a guard that was killed fails.
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
    // It ended just now.
  }
}
