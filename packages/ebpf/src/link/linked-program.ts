import type { LineTable } from '../btf/line-info.js';
import type { MapDefinition } from '../btf/map-definitions.js';
import type { Problem } from '../decode/step-list.js';
import type { ArenaPlace } from './options.js';

/** A function of a linked program. Instructions are counted over all sections. */
export interface LinkedFunction {
  readonly name: string;
  readonly section: string;
  /** The first instruction of its section. */
  readonly sectionStart: number;
  /** First instruction. */
  readonly first: number;
  /** Its length in slots of 8 bytes, the first one included. */
  readonly count: number;
  readonly isProgram: boolean;
  /** Its first step in `steps`. */
  readonly entry: number;
  /** Bytes at the end of its stack frame that are zero when it begins. */
  readonly stackBytes: number;
}

/** A section of global variables in the program's data. */
export interface LinkedRegion {
  readonly name: string;
  /** First byte in `data`, a multiple of 8. */
  readonly at: number;
  /** Length in bytes. */
  readonly bytes: number;
  readonly isWritable: boolean;
}

/** A named global variable. */
export interface LinkedVariable {
  readonly name: string;
  readonly section: string;
  /** Bytes from the start of `data`, or from the start of the arena. */
  readonly at: number;
  /** Length in bytes. */
  readonly bytes: number;
  readonly isArena: boolean;
}

/** The first content of the arena: its global variables. */
export interface ArenaGlobals {
  /** Bytes from the start of the arena, a multiple of its page size. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** A function of the kernel that a program calls. */
export interface LinkedExtern {
  readonly name: string;
  /** False for a weak one that was not named in the option `kfuncs`. */
  readonly isThere: boolean;
  /** What declaration tags say of each parameter: by index, from 0 on. */
  readonly tags: readonly (readonly string[])[];
}

/**
 * A program that can be run. It is plain data: another thread makes its own `Interpreter` of a copy by `structuredClone` or
 * `postMessage`. With the option `shared`, the global variables of all copies are the same bytes.
 */
export interface LinkedProgram {
  readonly functions: readonly LinkedFunction[];
  readonly externs: readonly LinkedExtern[];
  readonly maps: readonly MapDefinition[];
  readonly regions: readonly LinkedRegion[];
  readonly variables: readonly LinkedVariable[];
  /** Bytes of `.data`, `.bss` and `.rodata`. */
  readonly data: ArrayBuffer | SharedArrayBuffer;
  /** The arena, as the code has it; `null` for a program that was linked without one. */
  readonly arena: Required<ArenaPlace> | null;
  /** `null` for a program without variables in an arena. */
  readonly arenaGlobals: ArenaGlobals | null;
  /** Decoded instructions: four words a step. @internal */
  readonly steps: Int32Array;
  /** Constants of the code: two words each. @internal */
  readonly constants: Int32Array;
  /** The instruction of each step. @internal */
  readonly places: Int32Array;
  /** What is wrong with a step that is no instruction. @internal */
  readonly problems: readonly Problem[];
  /** The instructions, with relocations done, for messages. @internal */
  readonly code: Uint8Array;
  /** Lines of the source. @internal */
  readonly lines: readonly LineTable[];
  /** The texts that `lines` name; `null` for none. @internal */
  readonly texts: Uint8Array | null;
}
