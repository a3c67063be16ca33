import { VmError } from '@vmarea/core';
import type { LinkedProgram, LinkedVariable } from '../link/linked-program.js';
import type { ArenaPort } from './arena-port.js';

/**
 * The bytes of a global variable in `.data`, `.bss` or `.rodata`: a view, so what is written is what programs see.
 *
 * @param name - of a variable that the object's symbols name.
 * @throws VmError `EINVAL` for a name that is none, and for a variable of the arena.
 */
export function globalBytes(program: LinkedProgram, name: string): Uint8Array {
  const { at, bytes, isArena } = variableOf(program, name);
  if (isArena) {
    throw new VmError('EINVAL', `${name} is in the arena`, { advice: 'take its address by arenaAddress' });
  }
  return new Uint8Array(program.data, at, bytes);
}

/**
 * Where user space has a global variable of the arena.
 *
 * @throws VmError `EINVAL` for a name that is none, and for a variable that is not in the arena.
 */
export function arenaAddress(program: LinkedProgram, name: string): bigint {
  const { at, isArena } = variableOf(program, name);
  if (isArena && program.arena !== null) return program.arena.userVmStart + BigInt(at);
  throw new VmError('EINVAL', `${name} is not in the arena`, { advice: 'take its bytes by globalBytes' });
}

/**
 * Stores the first values of the arena's global variables, as libbpf does when it loads an object. Their pages must be mapped in the
 * kernel's window: `arenaGlobals` of the program says where.
 *
 * @throws MmuFault of the first page that is not mapped: nothing is then stored. VmError as `Mmu.copyIn`.
 */
export function storeArenaGlobals(
  program: LinkedProgram,
  { mmu, kernVmStart, userVmStart }: ArenaPort,
): void {
  const { arenaGlobals } = program;
  if (arenaGlobals === null) return;
  const { offset, bytes } = arenaGlobals;
  mmu.copyIn(kernVmStart + BigInt.asUintN(32, userVmStart + BigInt(offset)), bytes);
}

function variableOf(program: LinkedProgram, name: string): LinkedVariable {
  const found = program.variables.find((one) => one.name === name);
  if (found !== undefined) return found;
  throw new VmError('EINVAL', `there is no global variable ${String(name)}`);
}
