import type { Btf } from '../btf/btf.js';
import type { LineTable } from '../btf/line-info.js';
import type { MapDefinition } from '../btf/map-definitions.js';

/** A section of instructions. */
export interface CodeSection {
  readonly name: string;
  /** 8 bytes an instruction, little-endian, as the file has them. */
  readonly bytes: Uint8Array;
  readonly relocations: readonly Relocation[];
}

/** A section of global variables. */
export interface DataSection {
  /** `.bss`, `.data…`, `.rodata…`, or `.addr_space.1`. */
  readonly name: string;
  /** What the variables are at first: no bytes for `.bss`, which is zero. */
  readonly bytes: Uint8Array;
  /** Length in bytes. */
  readonly size: number;
  readonly isWritable: boolean;
  /** True for the variables that are in the arena. */
  readonly isArena: boolean;
  readonly relocations: readonly Relocation[];
}

/** A function: a program or a subprogram. */
export interface BpfFunction {
  readonly name: string;
  /** Index of its section in `code`. */
  readonly section: number;
  /** First instruction, from the start of the section. */
  readonly first: number;
  /** How many slots of 8 bytes it has. */
  readonly count: number;
  /** True for a global function in a section other than `.text`: what a kernel would load as a program. */
  readonly isProgram: boolean;
}

/** A function that the kernel has, and the object only names. */
export interface Extern {
  readonly name: string;
  /** The object works without a weak one. */
  readonly isWeak: boolean;
}

/** A global variable. */
export interface DataSymbol {
  readonly name: string;
  /** Index of its section in `data`. */
  readonly section: number;
  /** Bytes from the start of the section. */
  readonly offset: number;
  /** Length in bytes. */
  readonly size: number;
}

/** What a relocation refers to. `index` counts in the object's list of that kind. */
export type Target =
  | { readonly kind: 'map' | 'extern'; readonly index: number }
  | { readonly kind: 'data' | 'code'; readonly index: number; readonly offset: number };

/** A place whose value depends on where the linker puts something. */
export interface Relocation {
  /** Bytes from the start of the section. */
  readonly offset: number;
  /** R_BPF_…: 1 is 64_64, 2 is 64_ABS64, 10 is 64_32. */
  readonly type: number;
  readonly target: Target;
}

/** What `loadObject` read: an object as a compiler wrote it. `link` makes it runnable. */
export interface BpfObject {
  /** What the section `license` has; `null` without one. */
  readonly license: string | null;
  /** The functions that can be run, in the file's order. */
  readonly programs: readonly BpfFunction[];
  /** All functions, by section and place. */
  readonly functions: readonly BpfFunction[];
  readonly code: readonly CodeSection[];
  readonly data: readonly DataSection[];
  /** Global variables, also those of the arena. */
  readonly variables: readonly DataSymbol[];
  readonly maps: readonly MapDefinition[];
  readonly externs: readonly Extern[];
  /** Types; `null` for an object without `.BTF`. @internal */
  readonly btf: Btf | null;
  /** Lines of the source, by section. @internal */
  readonly lines: readonly LineTable[];
}
