import type { ProgramPlace } from './program-fault.js';

/** An access to an arena page that is not there. The program went on: a load got 0, a store was dropped. */
export interface ArenaReport extends ProgramPlace {
  /** The line that Linux (6.18) writes to the program's stream. */
  readonly text: string;
  /** The program's stream: 2 is its standard error. */
  readonly stream: 2;
  /** True for stores and atomic changes. */
  readonly isWrite: boolean;
  /** The address, as user space has it. */
  readonly address: bigint;
}

/** `ERROR: Arena READ access at unmapped address 0x…`. */
export function reportText(isWrite: boolean, address: bigint): string {
  return `ERROR: Arena ${isWrite ? 'WRITE' : 'READ'} access at unmapped address 0x${address.toString(16)}`;
}
