import { VmError } from '@vmarea/core';
import type { Recorded, RunEnd } from './calls.js';
import { lineOf, moduleCode } from './module-code.js';
import { modulesFor, PACKAGES } from './modules.js';
import { Recorder } from './recorder.js';
import { valueText } from './value-text.js';

const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor as new (
  ...parts: string[]
) => (...args: unknown[]) => Promise<void>;

/**
 * Runs a program of somebody, and records what it does. A mistake in it is a part of the result.
 *
 * @param tell - told of each step and each line of output when it is made.
 * @param after - called behind the program. What it throws is a mistake of the program, too.
 */
export async function runProgram(
  code: string,
  tell: (part: Recorded) => void,
  after: () => Promise<void> = async () => {},
): Promise<RunEnd> {
  const recorder = new Recorder(tell);
  const print = (...values: unknown[]): void =>
    recorder.print(values.map((value) => (typeof value === 'string' ? value : valueText(value))).join(' '));
  // V8 keeps ten frames, and a call of the program may be deeper.
  const stacks = Error as { stackTraceLimit?: number };
  const limit = stacks.stackTraceLimit ?? 10;
  stacks.stackTraceLimit = 40;
  let error: RunEnd['error'] = null;
  try {
    const { body, imports } = moduleCode(code, PACKAGES);
    const program = new AsyncFunction('modules', 'console', `'use strict'; ${body}`);
    await program(await modulesFor(recorder, imports), {
      log: print,
      error: print,
      warn: print,
      info: print,
    });
    await after();
  } catch (thrown) {
    error = { message: messageOf(thrown), line: thrown instanceof Error ? lineOf(thrown.stack) : null };
  } finally {
    stacks.stackTraceLimit = limit;
  }
  recorder.end();
  return { error, calls: recorder.calls };
}

/** An error of vmarea begins with its code; any other one gets its class. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error instanceof VmError || error.name === 'Error'
    ? error.message
    : `${error.name}: ${error.message}`;
}
