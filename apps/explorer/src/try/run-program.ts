import { VmError } from '@vmarea/core';
import type { RunPart, RunResult } from './calls.js';
import { lineOf, moduleCode } from './module-code.js';
import { PACKAGES, packagesFor } from './packages.js';
import { Recorder } from './recorder.js';
import { valueText } from './value-text.js';

const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor as new (
  ...parts: string[]
) => (...args: unknown[]) => Promise<void>;

/** Most lines of output that are kept. */
const MOST_LINES = 2000;

/**
 * Runs a program of somebody, and records what it does. A mistake in it is a part of the result.
 *
 * @param after - called behind it. What it throws is a mistake of the program, too.
 * @param tell - is told of each call and each line when it is made.
 */
export async function runProgram(
  code: string,
  after: () => Promise<void> = async () => {},
  tell?: (part: RunPart) => void,
): Promise<RunResult> {
  const recorder = new Recorder(tell);
  const print = (...values: unknown[]): void => {
    if (recorder.output.length > MOST_LINES) return;
    const text = values.map((value) => (typeof value === 'string' ? value : valueText(value))).join(' ');
    recorder.print(text.replace(/\n$/, '').split('\n'));
  };
  // V8 keeps ten frames, and a call of the program may be deeper.
  const stacks = Error as { stackTraceLimit?: number };
  const limit = stacks.stackTraceLimit ?? 10;
  stacks.stackTraceLimit = 40;
  try {
    const { body, packages } = moduleCode(code, PACKAGES);
    const modules = await packagesFor(recorder, packages);
    const program = new AsyncFunction('modules', 'console', `'use strict'; ${body}`);
    await program(modules, { log: print, error: print, warn: print, info: print });
    await after();
    return recorder.result(null);
  } catch (error) {
    const message = messageOf(error);
    return recorder.result({ message, line: error instanceof Error ? lineOf(error.stack) : null });
  } finally {
    stacks.stackTraceLimit = limit;
  }
}

/** An error of vmarea begins with its code; any other one gets its class. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error instanceof VmError || error.name === 'Error'
    ? error.message
    : `${error.name}: ${error.message}`;
}
