export { type AddressCodec, pfnHigh, pfnLow, pfnOf, rotateRight } from './address-codec.js';
export type { Area, AreaInfo, AreaWord } from './area/area.js';
export type { EarlyRange, ReserveOptions, VmapAreasOptions } from './area/areas-options.js';
export type { AreaStats } from './area/areas-report.js';
export { FreeSpace, NOTHING_FITS } from './area/free-space.js';
export { NIL } from './area/interval-tree.js';
export type { AddressWindow } from './area/page-units.js';
export { type ParseVmallocinfoOptions, parseVmallocinfo } from './area/parse-vmallocinfo.js';
export { type PercpuRequest, takePercpu } from './area/percpu-areas.js';
export { formatVmallocinfo } from './area/vmallocinfo.js';
export type {
  BadVmallocinfoLine,
  ParsedVmallocinfoLine,
  VmallocinfoLine,
} from './area/vmallocinfo-line.js';
export { VmapAreas } from './area/vmap-areas.js';
export { VmapBlocks, type VmapBlocksOptions } from './area/vmap-blocks.js';
export { type Hull, type Lock, VmapNodes, type Waiting } from './area/vmap-nodes.js';
export { checkAddress } from './check/address.js';
export { completeControls } from './check/controls.js';
export type { FrameList } from './check/frames.js';
export { bigintOption, choiceOption, flagOption, integerOption, textOption } from './check/members.js';
export { nearest } from './check/nearest.js';
export { type Given, optionsOf } from './check/options.js';
export { windowOption } from './check/window.js';
export type { EntryTemplate } from './entry-template.js';
export { hex, printable, VmError, type VmErrorCode, type VmErrorDetails } from './errors.js';
export type { Access, Allowed, Controls, Permissions } from './format/access.js';
export { brokenRule, classify, isInRun, shapeOf } from './format/classify.js';
export { describeEntry, type EntryDescription, type EntryField } from './format/describe.js';
export type {
  AddressField,
  EntryKind,
  EntryNames,
  Level,
  Match,
  NamedBits,
  Rule,
  Run,
  Shape,
} from './format/entry.js';
export type { Fault, FaultCode, FaultKind } from './format/fault.js';
export type { Invalidation } from './format/invalidation.js';
export {
  type Configuration,
  type LinuxLeaves,
  type LinuxPolicy,
  type LinuxProtections,
  type LinuxUser,
  mmapBase,
} from './format/linux-policy.js';
export type { MemoryAttributes } from './format/memory-attributes.js';
export type { PageTableFormat } from './format/page-table-format.js';
export { type FastMatch, type LevelPlan, type Plan, planOf, slotOf } from './format/plan.js';
export { type MemoryType, type Protection, protection } from './format/protection.js';
export { type Register, registerOption, registerValue } from './format/register.js';
export {
  type AddressTranslation,
  type MachineState,
  machineState,
  type Translation,
  withHidden,
} from './format/translation.js';
export { validateFormat } from './format/validate.js';
export type { VirtualRange } from './format/virtual-range.js';
export type { LoopPlace, LoopProvider, WebAssemblyMemoryLike } from './loops/loop-provider.js';
export type {
  EntryFinder,
  EntryReader,
  EntryWords,
  FrameSource,
  RunLoops,
  WalkLoops,
} from './loops/run-loops.js';
export type {
  Bank,
  BankOptions,
  BankPlacement,
  BankSource,
  CreatedBank,
  GivenBank,
} from './memory/bank.js';
export { attachFrames } from './memory/frames/attach-frames.js';
export { FrameAllocator, type FrameAllocatorOptions } from './memory/frames/frame-allocator.js';
export type { FrameSharing } from './memory/frames/frame-sharing.js';
export type { FrameRange } from './memory/frames/frame-state.js';
export type { FrameStats } from './memory/frames/frame-stats.js';
export type { TakenBlock } from './memory/frames/shared/recover-frames.js';
export { PhysicalMemory } from './memory/physical-memory.js';
export { type MemorySource, type SourceBankOptions, sourceBank } from './memory/source-bank.js';
export { type SparseImage, sparseBank } from './memory/sparse-bank.js';
export type {
  ForkOptions,
  MmapRequest,
  MremapOptions,
  ProcessKernel,
  ProcessOptions,
} from './process/options.js';
export { PageReferences } from './process/page-references.js';
export { Process } from './process/process.js';
export type { RegionFlags, RegionRights } from './process/region-flags.js';
export { registerRegionKind } from './process/region-kinds.js';
export { RegionObject, type RegionObjectOptions } from './process/region-object.js';
export type {
  AccessKind,
  FaultResult,
  MappedObject,
  Region,
  RegionFault,
  RegionOperations,
  RegionProcess,
  UnmappedAreaRequest,
} from './process/region-operations.js';
export { UserPages, userMappings, userPagesOf } from './process/user-pages.js';
export { type AnyFormat, type AttachOptions, attach } from './sharing/attach.js';
export { type Check, type CheckFinding, check } from './sharing/check.js';
export { type Recovery, recover } from './sharing/recover.js';
export { type Description, type Shareable, type Shareables, share } from './sharing/share.js';
export { Threads, type ThreadsOptions } from './sharing/threads.js';
export type { MappableRegion } from './space/faces.js';
export { flushBatch } from './table/batches.js';
export { prepareTables, tablesNeeded } from './table/change/map/prepare.js';
export { collapseLeaves } from './table/change/resize/collapse.js';
export { splitLeaves } from './table/change/resize/split.js';
export { applyToExisting, applyToRange } from './table/change/visit/apply.js';
export type { Slot, SlotVisitor } from './table/change/visit/slot.js';
export { type CheckTablesOptions, checkTables, type TableCheck } from './table/check/check-tables.js';
export type { TableFinding, TableFindingKind } from './table/check/finding.js';
export type {
  ApplyOptions,
  CollapseOptions,
  CutOptions,
  FlushOptions,
  MapOptions,
  MapPiece,
  PrepareOptions,
  SplitOptions,
  UnmapOptions,
} from './table/options.js';
export { isTranslated } from './table/page-range.js';
export { PageTable } from './table/page-table.js';
export { PageTableReader } from './table/page-table-reader.js';
export type { ReadableTable } from './table/readable-table.js';
export type { RecoveredTables, UndoneCall } from './table/shared/recover-tables.js';
export { type Difference, type DiffOptions, diffTables } from './table/show/diff.js';
export type { DifferenceSide } from './table/show/diff-side.js';
export { type DumpOptions, dumpTables } from './table/show/dump.js';
export { type LeafSize, leafSizes, type UnlistedSize } from './table/show/leaf-sizes.js';
export { type Likeness, looksLike } from './table/show/looks-like.js';
export { restoreSnapshot, type Snapshot, takeSnapshot } from './table/show/snapshot.js';
export type { Counters } from './table/state/counters.js';
export type { FlushBatch } from './table/state/flush-batch.js';
export type { FlushSink } from './table/state/flush-sink.js';
export type { PageTableOptions } from './table/state/make.js';
export type { ReaderOptions } from './table/state/open.js';
export { type TranslationCursor, translationCursor } from './table/walk/cursor.js';
export { type FindOptions, type FoundMapping, findMappings } from './table/walk/find-mappings.js';
export { wordOfSlot } from './table/walk/flat-finder.js';
export type { LeavesOptions } from './table/walk/leaf-list.js';
export type { LeafItem, LeafRun, UnlistedSpan } from './table/walk/leaves.js';
export { type ListOptions, listLeaves } from './table/walk/list-leaves.js';
export { type PathWalker, pathWalker } from './table/walk/path-walk.js';
export type { Rights } from './table/walk/rights.js';
export { translateMany } from './table/walk/translate-many.js';
export type { Walk, WalkLeaf, WalkStep } from './table/walk/walk.js';
export { isInRange, leafFrame, type RangeTest, rangeTest } from './table/walk/walk-end.js';
export { wasmLoops } from './table/walk/wasm-provider.js';
export type { RobustLock } from './threads/robust-lock.js';
export type { SharedPart, ThreadCalls } from './threads/thread-calls.js';
export { AddressSpace } from './vmap/address-space.js';
export type { Populated, VmArea } from './vmap/areas/vm-area.js';
export type { LazyAreaStats } from './vmap/areas/vm-struct.js';
export {
  VM_ALLOC,
  VM_ALLOW_HUGE_VMAP,
  VM_DEFER_KMEMLEAK,
  VM_DMA_COHERENT,
  VM_FLUSH_RESET_PERMS,
  VM_IOREMAP,
  VM_KASAN,
  VM_MAP,
  VM_MAP_PUT_PAGES,
  VM_NO_GUARD,
  VM_SPARSE,
  VM_UNINITIALIZED,
  VM_USERMAP,
} from './vmap/flags.js';
export type { LazyArea } from './vmap/lazy/lazy-area.js';
export type {
  AddressSpaceOptions,
  CallerOptions,
  EarlyArea,
  LazyAreaOptions,
  LinuxRelease,
  VmAreaRequest,
  VmallocOptions,
  VmallocRequest,
} from './vmap/options.js';
export type { SpaceFault, SpaceFaultKind } from './vmap/shared/faults.js';
export type { SpaceMend } from './vmap/shared/mend.js';
export type { VreallocOptions } from './vmap/vmalloc/vrealloc.js';
export { joinWords, mask, matches, or, toBigint, type Words, words, ZERO } from './words.js';
