import { integerOption, joinWords, optionsOf, VmError, words } from '@vmarea/core';
import type { Problem } from '../decode/step-list.js';
import { STEP_WORDS } from '../decode/steps.js';
import { CODE_REGION, CONTEXT_REGION, HANDLE_BYTES, REGION_START, regionWord } from '../link/addresses.js';
import type { LinkedFunction, LinkedProgram } from '../link/linked-program.js';
import { Engine, type EngineHost } from './engine.js';
import { type ArenaArgument, KernelCall } from './kernel-call.js';
import { Memory } from './memory.js';
import {
  type CheckedInterpreterOptions,
  checkedInterpreterOptions,
  type InterpreterOptions,
} from './options.js';
import { Places } from './places.js';
import { ProgramFault, type ProgramFaultKind } from './program-fault.js';
import { reportText } from './report.js';

/** How a program is run. */
export interface RunOptions {
  /** The bytes that r1 points to. What the program writes there is written back. Default: none. */
  readonly context?: Uint8Array;
  /** How many instructions the run may take, 1 to 2^31 - 1. Default: 1,000,000,000. */
  readonly budget?: number;
}

/** What a run came to. */
export interface RunResult {
  /** r0, unsigned, 64 bits. An `int` of C is its low 32 bits. */
  readonly value: bigint;
  /** Instructions that the run took, those of subprograms and callbacks included. */
  readonly instructions: number;
}

const DEFAULT_BUDGET = 1_000_000_000;
const R1 = 2;

/**
 * Runs the programs of a linked object: all of ISA v4, with a stack of 8 frames of 512 bytes.
 *
 * It is no verifier. What a verifier would refuse ends in a `ProgramFault` when a run comes to it. Types of pointers are not known: a pointer
 * that arithmetic moved into another variable reads that one.
 *
 * An interpreter has registers and a stack of its own. Each thread makes one, of the same `LinkedProgram`.
 *
 * @example
 * ```ts
 * const interpreter = new Interpreter(program, { arena: port, kfuncs: { bpf_arena_alloc_pages } });
 * interpreter.run('fill', { context: new Uint8Array(8) }).value; // 0n
 * ```
 */
export class Interpreter {
  readonly #program: LinkedProgram;
  readonly #options: CheckedInterpreterOptions;
  readonly #memory: Memory;
  readonly #engine: Engine;
  readonly #call: KernelCall;
  readonly #places: Places;
  /** The functions that a kernel function may call back, by their first instruction. */
  readonly #callbacks: ReadonlyMap<number, LinkedFunction>;
  #isRunning = false;

  /**
   * @param program - of `link`, or a copy of it that came from another thread.
   * @throws VmError `EINVAL` for an unknown or invalid option, for an arena other than the one of `link`, and for a kernel function that the
   *   program needs and nobody gives.
   */
  constructor(program: LinkedProgram, options?: InterpreterOptions) {
    if (!(program?.steps instanceof Int32Array)) {
      throw new VmError('EINVAL', 'the program is none', { advice: 'pass what link() returned' });
    }
    const checked = checkedInterpreterOptions(options, program);
    this.#program = program;
    this.#options = checked;
    this.#memory = new Memory(program, checked.arena);
    this.#places = new Places(program);
    // From the last on: of two at one place, the first counts.
    const functions = program.functions.filter(({ isProgram }) => !isProgram).reverse();
    this.#callbacks = new Map(functions.map((one) => [one.first, one]));
    const userHi = words(program.arena?.userVmStart ?? 0n).hi;
    const { steps, constants } = program;
    this.#engine = new Engine(steps, constants, this.#memory, this.#hostOf(), userHi, checked.loops);
    this.#call = new KernelCall(this.#memory, program.maps, (hi, lo) => this.#invoke(hi, lo));
  }

  /**
   * Runs a program from its first instruction to its exit. Global variables and the arena stay as the program leaves them.
   *
   * @param name - of the program: a function in a section other than `.text`.
   * @throws ProgramFault when the program does what a verifier would refuse, or uses up its budget; VmError `EINVAL` for a name that is no
   *   program or an invalid option, `EBUSY` from inside a kernel function of the same interpreter; and what a kernel function or a
   *   device of the arena's processor throws.
   */
  run(name: string, options?: RunOptions): RunResult {
    const program = this.#functionOf(name);
    const given = optionsOf(options, ['context', 'budget'], 'run()');
    const budget = integerOption(given, 'budget', 1, 2 ** 31 - 1, DEFAULT_BUDGET);
    const context = given.context === undefined ? null : checkedContext(given.context);
    if (this.#isRunning)
      throw new VmError('EBUSY', 'the interpreter runs a program', { advice: 'make another one' });
    const [engine, memory] = [this.#engine, this.#memory];
    this.#isRunning = true;
    try {
      memory.setContext(context ?? NO_BYTES);
      engine.left = budget;
      engine.begin(program.stackBytes);
      engine.registers[R1] = REGION_START;
      engine.registers[R1 + 1] = regionWord(CONTEXT_REGION);
      engine.run(program.entry, 0);
      const [lo, hi] = [engine.registers[0] as number, engine.registers[1] as number];
      return {
        value: joinWords(lo, hi),
        instructions: budget - engine.left,
      };
    } finally {
      this.#isRunning = false;
      context?.set(memory.contextBytes());
    }
  }

  #functionOf(name: string): LinkedFunction {
    const program = this.#program.functions.find((one) => one.isProgram && one.name === name);
    if (program !== undefined) return program;
    const names = this.#program.functions.filter(({ isProgram }) => isProgram).map((one) => one.name);
    throw new VmError('EINVAL', `there is no program ${String(name)}`, {
      advice:
        names.length === 0 ? 'the object has none' : `the programs are ${names.slice(0, 10).join(', ')}`,
    });
  }

  #hostOf(): EngineHost {
    return {
      callKernel: (isExtern, number) => this.#callKernel(isExtern, number),
      fault: (kind, why, step) => this.#fault(kind, why, step),
      problem: (number, step) => {
        const { kind, why } = this.#program.problems[number] as Problem;
        return this.#fault(kind, why, step);
      },
      report: (isWrite, lo, offset, step) => this.#report(isWrite, lo, offset, step),
    };
  }

  #placeOf(step: number): ReturnType<Places['of']> {
    return this.#places.of(this.#program.places[step / STEP_WORDS] as number);
  }

  #fault(kind: ProgramFaultKind, why: string, step: number): ProgramFault {
    return new ProgramFault(kind, why, this.#placeOf(step));
  }

  #callKernel(isExtern: boolean, number: number): void {
    const [engine, call] = [this.#engine, this.#call];
    const entry = isExtern ? this.#options.externs[number] : undefined;
    const run = isExtern ? entry?.call : this.#options.helpers.get(number);
    if (run === undefined) throw this.#fault('instruction', `there is no helper ${number}`, engine.at);
    for (let i = 0; i < 10; i++) call.args[i] = engine.registers[R1 + i] as number;
    if (entry?.arenaArguments != null) this.#rebase(entry.arenaArguments);
    call.lo = 0;
    call.hi = 0;
    run(call);
    engine.registers[0] = call.lo;
    engine.registers[1] = call.hi;
  }

  /** Linux's rule for kfuncs with arena arguments (A5 of the verifier's fix-up): the low 32 bits, from the start of the window. */
  #rebase(kinds: readonly ArenaArgument[]): void {
    const { args } = this.#call;
    for (let i = 0; i < kinds.length; i++) {
      const lo = args[i * 2] as number;
      if (kinds[i] == null) continue;
      const isNull = kinds[i] === 'nullable' && lo === 0;
      args[i * 2] = isNull ? 0 : this.#memory.kernelLo(lo);
      args[i * 2 + 1] = isNull ? 0 : this.#memory.kernelHi(0, lo);
    }
  }

  #invoke(hi: number, lo: number): void {
    const [engine, call] = [this.#engine, this.#call];
    const offset = (lo >>> 0) - REGION_START;
    const isCode = (hi | 0) === regionWord(CODE_REGION) && offset % HANDLE_BYTES === 0;
    const first = offset / HANDLE_BYTES;
    const callee = isCode ? this.#callbacks.get(first) : undefined;
    if (!this.#isRunning) {
      throw new VmError('EINVAL', 'the kernel function has returned', {
        advice: 'call callback() before that',
      });
    }
    if (callee === undefined) throw this.#fault('instruction', 'the callback is no function', engine.at);
    for (let i = 0; i < 10; i++) engine.registers[R1 + i] = call.args[i] as number;
    // Whatever the callback called has left its result in the same object: one that ends by a fault has none.
    let [resultLo, resultHi] = [0, 0];
    try {
      engine.invoke(callee.entry, callee.stackBytes);
      [resultLo, resultHi] = [engine.registers[0] as number, engine.registers[1] as number];
    } finally {
      call.lo = resultLo;
      call.hi = resultHi;
    }
  }

  /** The address is Linux's: the pointer's low 32 bits and the offset, added to the upper half of where user space has the arena. */
  #report(isWrite: boolean, lo: number, offset: number, step: number): void {
    const { report } = this.#options;
    if (report === null) return;
    const high = ((this.#program.arena?.userVmStart ?? 0n) >> 32n) << 32n;
    const address = BigInt.asUintN(64, high + BigInt((lo >>> 0) + offset));
    report({ ...this.#placeOf(step), text: reportText(isWrite, address), stream: 2, isWrite, address });
  }
}

const NO_BYTES = /* @__PURE__ */ new Uint8Array(0);

function checkedContext(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new VmError('EINVAL', 'the context is no Uint8Array');
}
