/**
 * The page tables of x86-64 with 5 levels and Linux's policy for them.
 *
 * @packageDocumentation
 */
import type { Configuration } from '@vmarea/core';
import { x8664La57 } from './format.js';
import { x8664La57Linux } from './linux.js';

export { x8664La57 } from './format.js';
export { x8664La57Linux } from './linux.js';
export { x8664AnyFromRegisters, x8664La57FromRegisters } from './registers.js';

/** The configurations of this package, for tools that run several architectures. */
export const configurations: readonly Configuration[] = Object.freeze([
  Object.freeze({
    name: 'x86-64-la57',
    title: 'x86-64, 5 levels, 4 KiB pages, Linux without PTI',
    format: x8664La57(),
    linux: x8664La57Linux(),
  }),
]);
