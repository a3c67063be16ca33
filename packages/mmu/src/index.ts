/**
 * A processor's side of page tables.
 *
 * @packageDocumentation
 */
export type { DeviceIo } from './processor/device-io.js';
export type { AtomicOperation } from './processor/exchange.js';
export { type Accessed, Mmu, type MmuOptions } from './processor/mmu.js';
export { MmuFault } from './processor/mmu-fault.js';
export { type ProcessorOptions, processorOf } from './processor/processor-of.js';
export { type Shootdown, type ShootdownOptions, shootdown } from './processor/shootdown.js';
export type { MmuTables } from './processor/tables-option.js';
export type { ProcessorObserver } from './processor-observer.js';
export { FlushSanitizer } from './sanitizer/flush-sanitizer.js';
export type { FlushSanitizerOptions } from './sanitizer/options.js';
export type { SanitizerCause, SanitizerCode, SanitizerReport } from './sanitizer/report.js';
export type { RootToWatch } from './sanitizer/watched-root.js';
export type { StaleWindow } from './sanitizer/windows.js';
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
export { TLB_PRESETS, tlbPreset } from './tlb/presets/all.js';
export { ZEN_2, ZEN_3, ZEN_4, ZEN_5 } from './tlb/presets/amd.js';
export { APPLE_M1_E, APPLE_M1_P } from './tlb/presets/apple.js';
export { CORTEX_A55, CORTEX_A76, NEOVERSE_N2, NEOVERSE_V2, NEOVERSE_V3 } from './tlb/presets/arm.js';
export { CHAMPSIM_WALK_CACHES } from './tlb/presets/champsim.js';
export { GOLDEN_COVE } from './tlb/presets/intel.js';
export { ORYON } from './tlb/presets/qualcomm.js';
export { P870 } from './tlb/presets/sifive.js';
export type {
  TableLevelStats,
  TlbSizeStats,
  TlbStats,
  TlbUnitStats,
  WalkCacheStats,
} from './tlb/stats.js';
export { TlbModel } from './tlb/tlb-model.js';
export { type WalkLevel, type WalkRecord, type WalkSource, walkRecord, walkSource } from './walk-source.js';
