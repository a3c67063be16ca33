import { readFileSync } from 'node:fs';
import {
  Interpreter,
  type InterpreterOptions,
  type LinkedProgram,
  type LinkOptions,
  link,
  loadObject,
  storeArenaGlobals,
} from '../../src/index.js';
import { type ArenaMachine, arenaMachine } from './arena-machine.js';

/** The committed objects. */
export const OBJECTS = [
  'atomics',
  'bitmap',
  'buddy',
  'bump',
  'calls',
  'edges',
  'glob',
  'htab',
  'kfunc',
  'list',
  'loops',
  'ordered',
  'rbtree',
  'requests',
  'requests-large',
  'slab',
  'spin',
  'spmc',
  'stack',
  'stream',
  'tags',
] as const;

export function objectBytes(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../../programs/${name}.bpf.o`, import.meta.url)));
}

/** A machine with an arena, and a program that is loaded, linked and ready to run in it. */
export interface Loaded {
  readonly machine: ArenaMachine;
  readonly program: LinkedProgram;
  readonly interpreter: Interpreter;
}

export function loaded(
  name: string,
  architecture: string,
  options: {
    link?: LinkOptions;
    interpreter?: InterpreterOptions;
    userVmStart?: bigint;
    megabytes?: number;
  } = {},
): Loaded {
  const object = loadObject(objectBytes(name));
  const pages = object.maps.find(({ type }) => type === 33)?.maxEntries ?? 4;
  const { userVmStart = 1n << 44n, megabytes = 16 } = options;
  const machine = arenaMachine(architecture, { pages, userVmStart, megabytes });
  const arena = machine.port;
  const program = link(object, { arena, kfuncs: Object.keys(machine.kfuncs), ...options.link });
  mapGlobals(machine, program);
  const kfuncs = { ...machine.kfuncs, ...options.interpreter?.kfuncs };
  return {
    machine,
    program,
    interpreter: new Interpreter(program, { arena, ...options.interpreter, kfuncs }),
  };
}

/** Maps the pages of the arena's variables and stores them. */
export function mapGlobals(machine: ArenaMachine, program: LinkedProgram): void {
  const { arenaGlobals } = program;
  if (arenaGlobals === null) return;
  const { offset, bytes } = arenaGlobals;
  machine.allocate(Math.ceil(bytes.length / machine.pageSize), offset / machine.pageSize);
  storeArenaGlobals(program, machine.port);
}

/** A context of numbers of 64 bits. */
export const context = (...values: (bigint | number)[]): Uint8Array =>
  new Uint8Array(new BigUint64Array(values.map((value) => BigInt.asUintN(64, BigInt(value)))).buffer);

export const u64At = (bytes: Uint8Array, at = 0): bigint =>
  new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(at, true);
export const u32At = (bytes: Uint8Array, at = 0): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
