import { type Arena, createArena } from '@vmarea/arena';
import { AddressSpace, FrameAllocator, PhysicalMemory } from '@vmarea/core';
import { Mmu } from '@vmarea/mmu';
import {
  type ArenaReport,
  globalBytes,
  Interpreter,
  type InterpreterOptions,
  type LinkedProgram,
  type LinkOptions,
  link,
  loadObject,
  storeArenaGlobals,
} from '../../src/index.js';
import { ARCHITECTURES } from './arena-machine.js';
import { objectBytes, u32At } from './objects.js';

/** Of a machine: what the test wants of it. */
interface MachineOptions {
  /** First user address of the arena, by the bytes of a page. Default: 1 << 44. */
  readonly userVmStart?: (page: bigint) => bigint;
  /** Pages of the arena. Default: what the object's map says. */
  readonly pages?: (page: bigint) => number;
  /** Frames for pages of the arena. Default: 64. */
  readonly frames?: number;
  /** Which kfuncs the verifier chooses. Default: true. */
  readonly sleepable?: boolean;
  readonly arenaGlobals?: LinkOptions['arenaGlobals'];
  readonly interpreter?: Pick<InterpreterOptions, 'helpers' | 'kfuncs' | 'loops'>;
}

/** An arena of @vmarea/arena, and a program that is ready to run in it. */
export interface RealArena {
  readonly arena: Arena;
  readonly program: LinkedProgram;
  readonly interpreter: Interpreter;
  readonly start: bigint;
  /** Bytes of a page. */
  readonly page: bigint;
  readonly ram: FrameAllocator;
  readonly kernel: AddressSpace;
  readonly memory: PhysicalMemory;
  /** What was reported, and in which function. */
  readonly reports: ArenaReport[];
  /** Runs a program; returns its result, and the numbers that it leaves in its context. */
  run(name: string, numbers: number, ...given: bigint[]): { value: bigint; seen: bigint[] };
}

/** Loads a committed object into a kernel with an arena. */
export function realArena(name: string, architecture: string, options: MachineOptions = {}): RealArena {
  const { format, linux, invalidations } = (ARCHITECTURES[architecture] as (typeof ARCHITECTURES)[string])();
  const { pageShift } = format;
  const page = 1n << BigInt(pageShift);
  // Linux makes the tables of the whole window in advance.
  const tables = pageShift === 12 ? 2400 : 300;
  const memory = PhysicalMemory.create({ bytes: (tables + (options.frames ?? 64)) * 2 ** pageShift });
  const frames = new FrameAllocator(memory, { pageShift, frames: tables });
  const ram = new FrameAllocator(memory, { pageShift, first: tables });
  const mmu = new Mmu({ memory, invalidations, tables: null });
  const kernel = new AddressSpace({ format, linux, memory, frames, ram, sink: mmu.sink });
  mmu.switchTables({ format, root: kernel.table.root, controls: format.controls });
  const object = loadObject(objectBytes(name));
  const map = object.maps.find(({ type }) => type === 33);
  if (map === undefined) throw new Error(`${name} has no arena`);
  const maxEntries = options.pages?.(page) ?? map.maxEntries;
  const start = options.userVmStart?.(page) ?? 1n << 44n;
  const arena = createArena(kernel, { maxEntries, mapExtra: start, flags: map.flags });
  const kfuncs = { ...arena.kfuncs(options.sleepable), ...options.interpreter?.kfuncs };
  const { arenaGlobals = 'end' } = options;
  const port = arena.port(mmu);
  const program = link(object, { arena: port, kfuncs: Object.keys(kfuncs), arenaGlobals });
  if (program.arenaGlobals !== null) {
    const { offset, bytes } = program.arenaGlobals;
    arena.allocPages(start + BigInt(offset), Math.ceil(bytes.length / Number(page)));
    storeArenaGlobals(program, port);
  }
  const reports: ArenaReport[] = [];
  const report = (one: ArenaReport): void => void reports.push(one);
  const interpreter = new Interpreter(program, { ...options.interpreter, arena: port, kfuncs, report });
  const set = (variable: string, value: bigint): void => {
    if (program.variables.every((one) => one.name !== variable)) return;
    const bytes = globalBytes(program, variable);
    for (let i = 0; i < bytes.length; i++) bytes[i] = Number((value >> BigInt(8 * i)) & 255n);
  };
  set('page_bytes', page);
  set('user_start', start);
  return {
    ...{ arena, program, interpreter, start, page, ram, kernel, memory, reports },
    run: (program, numbers, ...given) => {
      const context = new BigUint64Array(Math.max(numbers, given.length)).fill(UNSEEN);
      context.set(given);
      const { value } = interpreter.run(program, { context: new Uint8Array(context.buffer) });
      return { value, seen: [...context] };
    },
  };
}

/** What a number of the context is when the program did not write it. */
const UNSEEN = 0xdead_dead_dead_deadn;

/** Numbers of 32 bits in a variable. */
export function words(program: LinkedProgram, name: string): number[] {
  const bytes = globalBytes(program, name);
  return Array.from({ length: bytes.length / 4 }, (_, i) => u32At(bytes, i * 4));
}
