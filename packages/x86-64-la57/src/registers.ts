import { type X86Mode, type X8664Registers, type X8664State, x86FromRegisters } from '@vmarea/x86-64';
import { x8664La57 } from './format.js';

const LA57: X86Mode = {
  la57: true,
  otherwise: '4-level tables are another format: use x8664FromRegisters of @vmarea/x86-64',
  format: x8664La57,
  what: 'x8664La57FromRegisters()',
};

/**
 * The format, root and modes of a processor with 5-level paging.
 *
 * @throws VmError `EINVAL` when CR4.LA57 is clear, and as `x8664FromRegisters`.
 */
export function x8664La57FromRegisters(registers: X8664Registers): X8664State {
  return x86FromRegisters(registers, LA57);
}
