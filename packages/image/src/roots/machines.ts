import type { Vmcoreinfo } from '../notes/vmcoreinfo.js';
import { ARM64 } from './arm64.js';
import type { MachineKind } from './proposal.js';
import { RISCV64 } from './riscv64.js';
import { X86_64 } from './x86-64.js';

const MACHINES: readonly MachineKind[] = [X86_64, ARM64, RISCV64];

/**
 * The machines that a dump may be of: the one that it says, by its number, by what it says of the kernel or by utsname; else
 * all.
 */
export function machinesOf(
  number: number | null,
  infos: readonly Vmcoreinfo[],
  uts: readonly string[] | null,
): readonly MachineKind[] {
  if (number !== null) return MACHINES.filter((machine) => machine.number === number);
  const said = MACHINES.filter(({ marks }) => infos.some((info) => marks.some((mark) => info.has(mark))));
  if (said.length > 0) return said;
  const named = MACHINES.filter((machine) => uts?.[4] === machine.uts);
  return named.length > 0 ? named : MACHINES;
}
