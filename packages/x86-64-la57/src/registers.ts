import { optionsOf, registerOption } from '@vmarea/core';
import { type X86Mode, type X8664Registers, type X8664State, x86FromRegisters, x8664 } from '@vmarea/x86-64';
import { x8664La57 } from './format.js';

const LA57: X86Mode = {
  la57: true,
  otherwise:
    '4-level tables are another format: use x8664FromRegisters of @vmarea/x86-64, or x8664AnyFromRegisters',
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

const CR4_LA57 = 1n << 12n;

/** All members are the registers' or the format's options; `x86FromRegisters` checks each. */
const NAMES = [
  ...(['cr0', 'cr3', 'cr4', 'efer', 'rflags', 'pkru', 'pkrs', 'pat'] as const),
  ...(['paBits', 'page1g', 'encryptionBit', 'sharedBit', 'vendor'] as const),
];

/**
 * The format, root and modes of a processor with 4-level or 5-level paging, by CR4.LA57.
 *
 * @throws VmError `EINVAL` as `x8664FromRegisters`; the number of levels is no reason.
 * @example
 * ```ts
 * const cpu = x8664AnyFromRegisters({ cr0: 0x80050033, cr3: 0x1000, cr4: 0x751ef0, efer: 0xd01 });
 * cpu.format.name; // 'x86-64-la57'
 * ```
 */
export function x8664AnyFromRegisters(registers: X8664Registers): X8664State {
  const what = 'x8664AnyFromRegisters()';
  // A copy: what decides the mode is what the mode reads.
  const given = optionsOf(registers, NAMES, what) as X8664Registers;
  const la57 = (registerOption(given, 'cr4') & CR4_LA57) !== 0n;
  const format = la57 ? x8664La57 : x8664;
  return x86FromRegisters(given, { la57, otherwise: LA57.otherwise, format, what });
}
