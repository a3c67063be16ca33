/**
 * The page tables of riscv64 (Sv39, Sv48, Sv57) and Linux's policy for them.
 *
 * @packageDocumentation
 */
import type { Configuration } from '@vmarea/core';
import { type Riscv64Mode, riscv64 } from './format.js';
import { riscv64Linux } from './linux.js';

export { RISCV_BITS } from './bits.js';
export { type Riscv64Mode, type Riscv64Options, riscv64 } from './format.js';
export { RISCV64_INVALIDATIONS } from './invalidations.js';
export { type Riscv64LinuxOptions, type Riscv64LinuxPolicy, riscv64Linux } from './linux.js';
export { RISCV64_CONTROLS, type Riscv64Controls } from './permissions.js';
export {
  type Riscv64Registers,
  type Riscv64State,
  riscv64FromRegisters,
} from './registers.js';

/**
 * The configurations of this package, for tools that run several architectures: each mode without and with runs of 64 KiB.
 *
 * @example
 * ```ts
 * for (const { name, format } of configurations) console.log(name, format.levels.length);
 * ```
 */
export const configurations: readonly Configuration[] = Object.freeze(
  (['sv39', 'sv48', 'sv57'] as const).flatMap((mode) => [
    configurationOf(mode, false),
    configurationOf(mode, true),
  ]),
);

function configurationOf(mode: Riscv64Mode, napot: boolean): Configuration {
  const format = riscv64({ mode, svnapot: napot });
  return Object.freeze({
    name: `${format.name}${napot ? '-napot' : ''}`,
    title: `riscv64, ${format.levels.length} levels, 4 KiB pages, ${napot ? 'runs of 64 KiB' : 'no runs'}`,
    format,
    linux: riscv64Linux({ mode, napot }),
  });
}
