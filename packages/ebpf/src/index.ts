/**
 * BPF objects: a loader, a linker and an interpreter, for programs that use a BPF arena.
 *
 * @packageDocumentation
 */
export type { SourceLine } from './btf/line-info.js';
export type { MapDefinition } from './btf/map-definitions.js';
export type { ArenaPort, ArenaThreads } from './interpreter/arena-port.js';
export { arenaAddress, globalBytes, storeArenaGlobals } from './interpreter/globals.js';
export { Interpreter, type RunOptions, type RunResult } from './interpreter/interpreter.js';
export type {
  ArenaArgument,
  KernelCall,
  KernelFunction,
  KernelFunctionEntry,
} from './interpreter/kernel-call.js';
export type { InterpreterOptions } from './interpreter/options.js';
export { ProgramFault, type ProgramFaultKind, type ProgramPlace } from './interpreter/program-fault.js';
export type { ArenaReport } from './interpreter/report.js';
export { link } from './link/link.js';
export type {
  ArenaGlobals,
  LinkedExtern,
  LinkedFunction,
  LinkedProgram,
  LinkedRegion,
  LinkedVariable,
} from './link/linked-program.js';
export type { ArenaPlace, LinkOptions } from './link/options.js';
export type {
  BpfFunction,
  BpfObject,
  CodeSection,
  DataSection,
  DataSymbol,
  Extern,
  Relocation,
  Target,
} from './object/bpf-object.js';
export { loadObject } from './object/load-object.js';
