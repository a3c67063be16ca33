import * as arena from '@vmarea/arena';
import * as arm64 from '@vmarea/arm64';
import * as core from '@vmarea/core';
import * as mmu from '@vmarea/mmu';
import * as riscv64 from '@vmarea/riscv64';
import * as x8664 from '@vmarea/x86-64';
import * as x8664La57 from '@vmarea/x86-64-la57';
import type { RunResult } from './calls.js';
import { lineOf, moduleCode } from './module-code.js';
import { Recorder } from './recorder.js';
import { valueText } from './value-text.js';

const { splitLeaves, collapseLeaves, applyToRange, applyToExisting, prepareTables } = core;
/** Functions of core that change tables. */
const CHANGES = { splitLeaves, collapseLeaves, applyToRange, applyToExisting, prepareTables };

/** The packages that a program may import, with calls that are recorded. */
function modulesFor(recorder: Recorder): Readonly<Record<string, object>> {
  class AddressSpace extends core.AddressSpace {
    constructor(options: ConstructorParameters<typeof core.AddressSpace>[0]) {
      super(options);
      recorder.draw('kernel', { space: this, memory: this.memory });
      recorder.call('new AddressSpace', [], () => undefined);
      recorder.traced(this);
    }
  }
  class PageTable extends core.PageTable {
    constructor(options: ConstructorParameters<typeof core.PageTable>[0]) {
      super(options);
      recorder.draw('table', { space: this, memory: options.memory });
      recorder.call('new PageTable', [], () => undefined);
      recorder.traced(this);
    }
  }
  class Process extends core.Process {
    constructor(options: ConstructorParameters<typeof core.Process>[0]) {
      super(options);
      recorder.draw('process', { space: this, memory: this.memory });
      recorder.call('new Process', [], () => undefined);
      recorder.traced(this);
    }
  }
  class Mmu extends mmu.Mmu {
    constructor(options: ConstructorParameters<typeof mmu.Mmu>[0]) {
      super(options);
      recorder.traced(this);
    }
  }
  const changes = Object.fromEntries(
    Object.entries(CHANGES).map(([name, change]) => {
      const make = change as (...args: unknown[]) => unknown;
      return [name, (...args: unknown[]) => recorder.call(name, args, () => make(...args))];
    }),
  );
  const createArena: typeof arena.createArena = (...args) =>
    recorder.call('createArena', args, () => arena.createArena(...args));
  return {
    '@vmarea/core': { ...core, ...changes, AddressSpace, PageTable, Process },
    '@vmarea/mmu': { ...mmu, Mmu },
    '@vmarea/arena': { ...arena, createArena },
    '@vmarea/x86-64': x8664,
    '@vmarea/x86-64-la57': x8664La57,
    '@vmarea/arm64': arm64,
    '@vmarea/riscv64': riscv64,
  };
}

const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor as new (
  ...parts: string[]
) => (...args: unknown[]) => Promise<void>;

/** Most lines of output that are kept. */
const MOST_LINES = 2000;

/**
 * Runs a program of somebody, and records what it does. A mistake in it is a part of the result.
 *
 * @param after - called behind it. What it throws is a mistake of the program, too.
 */
export async function runProgram(
  code: string,
  after: () => Promise<void> = async () => {},
): Promise<RunResult> {
  const recorder = new Recorder();
  const print = (...values: unknown[]): void => {
    if (recorder.output.length > MOST_LINES) return;
    const text = values.map((value) => (typeof value === 'string' ? value : valueText(value))).join(' ');
    recorder.output.push(...text.replace(/\n$/, '').split('\n'));
  };
  // V8 keeps ten frames, and a call of the program may be deeper.
  const stacks = Error as { stackTraceLimit?: number };
  const limit = stacks.stackTraceLimit ?? 10;
  stacks.stackTraceLimit = 40;
  try {
    const modules = modulesFor(recorder);
    const { body } = moduleCode(code, Object.keys(modules));
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
  return error instanceof core.VmError || error.name === 'Error'
    ? error.message
    : `${error.name}: ${error.message}`;
}
