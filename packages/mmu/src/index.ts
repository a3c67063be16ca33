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
export type {
  AccessKind,
  CycleRange,
  Replacement,
  TlbArrayDescription,
  TlbCycles,
  TlbDescription,
  TlbUnit,
  WalkCache,
} from './tlb/description.js';
export type { InvalidationTarget, TableCache, TlbModelOptions } from './tlb/options.js';
export type {
  TableLevelStats,
  TlbSizeStats,
  TlbStats,
  TlbUnitStats,
  WalkCacheStats,
} from './tlb/stats.js';
export { type WalkLevel, type WalkRecord, type WalkSource, walkRecord, walkSource } from './walk-source.js';
