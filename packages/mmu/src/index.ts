/**
 * A processor's side of page tables.
 *
 * @packageDocumentation
 */
export type { DeviceIo } from './processor/device-io.js';
export type { AtomicOperation } from './processor/exchange.js';
export { type Accessed, Mmu, type MmuOptions } from './processor/mmu.js';
export { MmuFault } from './processor/mmu-fault.js';
export { type Shootdown, type ShootdownOptions, shootdown } from './processor/shootdown.js';
export type { MmuTables } from './processor/tables-option.js';
export type { ProcessorObserver } from './processor-observer.js';
