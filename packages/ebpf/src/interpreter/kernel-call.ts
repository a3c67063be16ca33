import { VmError } from '@vmarea/core';
import type { MapDefinition } from '../btf/map-definitions.js';
import { HANDLE_BYTES, MAP_REGION, REGION_START, regionWord } from '../link/addresses.js';
import type { Memory } from './memory.js';

/** How an argument of a kernel function is turned from an arena pointer into a kernel address; `null` for one that is left alone. */
export type ArenaArgument = 'arena' | 'nullable' | null;

/** A function that programs can call. It gets its arguments and leaves its result in `call`. */
export type KernelFunction = (call: KernelCall) => void;

/** A function, and which of its arguments are arena pointers. */
export interface KernelFunctionEntry {
  readonly call: KernelFunction;
  /**
   * Arguments that become kernel addresses, as Linux does it for kfuncs with arena arguments: only the low 32 bits count. `arena`: they
   * are added to the start of the window. `nullable`: the same, but NULL stays 0. `tags` takes what the object's
   * declaration tags say: `arg:arena`, with `arg:nullable` for the second kind.
   */
  readonly arenaArguments: readonly ArenaArgument[] | 'tags';
}

/** What calls a function of a program. @internal */
export type Invoke = (hi: number, lo: number) => void;

/**
 * The call of a kernel function. One object serves all calls of an interpreter: nothing is allocated.
 *
 * @example
 * ```ts
 * const kfuncs = {
 *   add: (call: KernelCall) => call.returnWords((call.args[0] + call.args[2]) | 0, 0), // two arguments of 32 bits
 * };
 * ```
 */
export class KernelCall {
  /** r1 to r5: the lower word of each, then its upper word; signed. Another call of a kernel function overwrites them. */
  readonly args: Int32Array = new Int32Array(10);
  /** The result: 0 until it is set. */
  lo = 0;
  hi = 0;
  readonly #memory: Memory;
  readonly #maps: readonly MapDefinition[];
  readonly #invoke: Invoke;

  /** @internal */
  constructor(memory: Memory, maps: readonly MapDefinition[], invoke: Invoke) {
    this.#memory = memory;
    this.#maps = maps;
    this.#invoke = invoke;
  }

  /** Sets the result, r0, by its two words. */
  returnWords(lo: number, hi: number): void {
    this.lo = lo | 0;
    this.hi = hi | 0;
  }

  /**
   * Calls a function of the program, whose address the kernel function got as an argument: a callback. Its arguments are `args`, as they
   * are now, and its result is then in `lo` and `hi`. Afterwards `args` may hold anything.
   *
   * @param hi - bits 63..32 of the function's address.
   * @param lo - bits 31..0.
   * @throws ProgramFault for what is no function, and when the callback ends by a fault: a kernel function may catch that, and the program
   *   goes on behind the call; VmError `EINVAL` after the kernel function has returned.
   */
  callback(hi: number, lo: number): void {
    this.#invoke(hi, lo);
  }

  /**
   * Bytes that an argument points to, outside of the arena: of the stack, the context, or global variables. A view: what is written to it
   * is what the program sees.
   *
   * @param index - of the argument, 0 to 4.
   * @param bytes - how many.
   * @param isWrite - true to refuse bytes that are read-only. Default: false.
   * @throws VmError `EINVAL` for another index or number of bytes; ProgramFault, `access`, for a pointer to something else.
   */
  bytesAt(index: number, bytes: number, isWrite = false): Uint8Array {
    requireArgument(index);
    if (!Number.isInteger(bytes) || bytes < 0) {
      throw new VmError('EINVAL', `the number of bytes is ${String(bytes)}`);
    }
    const { args } = this;
    return this.#memory.bytesAt(args[index * 2 + 1] as number, args[index * 2] as number, bytes, isWrite);
  }

  /**
   * The map that an argument points to.
   *
   * @param index - of the argument, 0 to 4.
   * @returns `null` for another pointer.
   * @throws VmError `EINVAL` for another index.
   */
  mapAt(index: number): MapDefinition | null {
    requireArgument(index);
    const offset = ((this.args[index * 2] as number) >>> 0) - REGION_START;
    if (this.args[index * 2 + 1] !== regionWord(MAP_REGION)) return null;
    return this.#maps[offset / HANDLE_BYTES] ?? null;
  }
}

function requireArgument(index: number): void {
  if (Number.isInteger(index) && index >= 0 && index <= 4) return;
  throw new VmError('EINVAL', `there is no argument ${String(index)}, expected 0 to 4`);
}
