/**
 * The page tables of x86-64 with 4 levels and Linux's policy for them.
 *
 * @packageDocumentation
 */
import type { Configuration } from '@vmarea/core';
import { x8664 } from './format.js';
import { x8664Linux } from './linux.js';

export { X86_BITS } from './bits.js';
export { type X86Geometry, type X8664Options, x86Format, x8664 } from './format.js';
export { X8664_INVALIDATIONS } from './invalidations.js';
export {
  type X86Layout,
  type X8664LinuxOptions,
  type X8664LinuxPolicy,
  type X8664Protections,
  x86LinuxPolicy,
  x8664Linux,
} from './linux.js';
export { LINUX_PAT, memoryTypesOf, RESET_PAT } from './memory-types.js';
export { X8664_CONTROLS, type X8664Controls } from './permissions.js';
export {
  type X86Mode,
  type X8664Registers,
  type X8664State,
  x86FromRegisters,
  x8664FromRegisters,
} from './registers.js';

export { type ShadowStackAccess, shadowStackFault } from './shadow-stacks.js';

/**
 * The configurations of this package, for tools that run several architectures.
 *
 * @example
 * ```ts
 * for (const { name, format } of configurations) console.log(name, format.levels.length);
 * ```
 */
export const configurations: readonly Configuration[] = /* @__PURE__ */ Object.freeze([
  /* @__PURE__ */ Object.freeze({
    name: 'x86-64',
    title: 'x86-64, 4 levels, 4 KiB pages, Linux without PTI',
    format: /* @__PURE__ */ x8664(),
    linux: /* @__PURE__ */ x8664Linux(),
  }),
]);
