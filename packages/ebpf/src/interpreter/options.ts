import { integerOption, optionsOf, VmError } from '@vmarea/core';
import type { LinkedProgram } from '../link/linked-program.js';
import { checkedArena } from '../link/options.js';
import type { ArenaPort } from './arena-port.js';
import type { ArenaArgument, KernelFunction, KernelFunctionEntry } from './kernel-call.js';
import type { ArenaReport } from './report.js';

/** What an interpreter is made of. */
export interface InterpreterOptions {
  /** The arena, for a program that was linked with one: the same place, and this thread's processor. */
  readonly arena?: ArenaPort;
  /** The functions of the kernel that the program was linked with, by name. */
  readonly kfuncs?: Readonly<Record<string, KernelFunction | KernelFunctionEntry>>;
  /** Helpers that the program calls by number: 181 is bpf_loop. Default: none. */
  readonly helpers?: Readonly<Record<number, KernelFunction>>;
  /** Is told of accesses to arena pages that are not there. Default: nobody. */
  readonly report?: (report: ArenaReport) => void;
  /** How often `may_goto` goes on in one call of a function, 0 to 2^31 - 1. Default: 8,388,608 (BPF_MAX_LOOPS). */
  readonly loops?: number;
}

/** A kernel function with what is done to its arguments; `arenaArguments` is `null` where nothing is. */
interface CheckedFunction {
  readonly call: KernelFunction;
  readonly arenaArguments: readonly ArenaArgument[] | null;
}

/** Options after their checks. */
export interface CheckedInterpreterOptions {
  readonly arena: ArenaPort | null;
  /** By index of the program's externs; `null` for one that is not there. */
  readonly externs: readonly (CheckedFunction | null)[];
  readonly helpers: ReadonlyMap<number, KernelFunction>;
  readonly report: ((report: ArenaReport) => void) | null;
  readonly loops: number;
}

const NAMES = ['arena', 'kfuncs', 'helpers', 'report', 'loops'] as const;
/** BPF_MAX_LOOPS (include/linux/bpf.h). */
const MAX_LOOPS = 1 << 23;

/** @throws VmError `EINVAL` for an unknown or invalid option, and for a kernel function that the program needs and nobody gives. */
export function checkedInterpreterOptions(
  options: InterpreterOptions | undefined,
  program: LinkedProgram,
): CheckedInterpreterOptions {
  const given = optionsOf(options, NAMES, 'Interpreter');
  const report = given.report;
  if (report !== undefined && typeof report !== 'function')
    throw new VmError('EINVAL', 'report is no function');
  return {
    arena: checkedPort(given.arena, program),
    externs: checkedExterns(given.kfuncs ?? {}, program),
    helpers: checkedHelpers(given.helpers ?? {}),
    report: (report as CheckedInterpreterOptions['report'] | undefined) ?? null,
    loops: integerOption(given, 'loops', 0, 2 ** 31 - 1, MAX_LOOPS),
  };
}

function checkedPort(value: unknown, program: LinkedProgram): ArenaPort | null {
  const linked = program.arena;
  if (value === undefined) {
    if (linked === null) return null;
    throw new VmError('EINVAL', 'the program was linked with an arena, but none is given', {
      advice: 'pass the option arena',
    });
  }
  if (linked === null) throw new VmError('EINVAL', 'the program was linked without an arena');
  const place = checkedArena(value, linked.noUserConv);
  const { mmu, kernVmStart, threads = null } = value as Partial<ArenaPort>;
  const { userVmStart, pages, pageSize } = linked;
  if (place.userVmStart !== userVmStart || place.pages !== pages || place.pageSize !== pageSize) {
    throw new VmError('EINVAL', 'the arena is another one than the program was linked with', {
      address: place.userVmStart,
    });
  }
  if (place.noUserConv !== linked.noUserConv) {
    throw new VmError(
      'EINVAL',
      `noUserConv is ${place.noUserConv}, but the program was linked with another value`,
    );
  }
  if (typeof mmu?.load64Words !== 'function') throw new VmError('EINVAL', 'the mmu of the arena is no Mmu');
  // The window has a guard of 32 KiB on each side.
  if (
    typeof kernVmStart !== 'bigint' ||
    kernVmStart < 32768n ||
    kernVmStart > 2n ** 64n - 2n ** 32n - 32768n
  ) {
    throw new VmError('EINVAL', 'kernVmStart is no address of a window of 4 GiB and two guards of 32 KiB');
  }
  if (threads !== null && typeof threads.deliver !== 'function')
    throw new VmError('EINVAL', 'the threads of the arena are no Threads');
  return { ...place, mmu, kernVmStart, threads };
}

function checkedExterns(value: unknown, program: LinkedProgram): (CheckedFunction | null)[] {
  if (typeof value !== 'object' || value === null) throw new VmError('EINVAL', 'kfuncs are no object');
  return program.externs.map(({ name, isThere, tags }) => {
    if (!isThere) return null;
    const entry: unknown = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
    if (typeof entry === 'function') return { call: entry as KernelFunction, arenaArguments: null };
    const { call, arenaArguments } = (entry ?? {}) as Partial<KernelFunctionEntry>;
    if (typeof call !== 'function') {
      throw new VmError('EINVAL', `the program was linked with ${name}, but kfuncs have no such function`);
    }
    return { call, arenaArguments: checkedArguments(name, arenaArguments, tags) };
  });
}

function checkedArguments(
  name: string,
  value: unknown,
  tags: readonly (readonly string[])[],
): readonly ArenaArgument[] | null {
  if (value === undefined) return null;
  if (value === 'tags') {
    return tags.map((texts) => {
      if (!texts.includes('arg:arena')) return null;
      return texts.includes('arg:nullable') ? 'nullable' : 'arena';
    });
  }
  const isKnown = (one: unknown): boolean => one === null || one === 'arena' || one === 'nullable';
  if (Array.isArray(value) && value.length <= 5 && value.every(isKnown)) return [...value];
  throw new VmError('EINVAL', `the arenaArguments of ${name} are wrong`, {
    advice: "pass 'tags' or an array of at most five: 'arena', 'nullable' or null",
  });
}

function checkedHelpers(value: unknown): ReadonlyMap<number, KernelFunction> {
  if (typeof value !== 'object' || value === null) throw new VmError('EINVAL', 'helpers are no object');
  return new Map(
    Object.entries(value).map(([number, call]: [string, unknown]) => {
      if (typeof call === 'function' && /^\d+$/.test(number)) return [Number(number), call as KernelFunction];
      throw new VmError('EINVAL', `the helper ${number} is no function with a number`);
    }),
  );
}
