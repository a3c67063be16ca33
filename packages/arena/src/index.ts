/**
 * The BPF arena, as Linux has it.
 *
 * @packageDocumentation
 */
export { Arena } from './arena.js';
export type { AllocOptions, ArenaMmapOptions, ArenaPort, FreeOptions, ViewOptions } from './call-options.js';
export { createArena } from './create.js';
export type { AccessBytes } from './data/access.js';
export type { ArenaReport } from './data/report.js';
export type { ArenaView, ViewOf } from './data/view.js';
export type { ArenaDescription } from './description.js';
export { BPF_F_MMAPABLE, BPF_F_NO_USER_CONV, BPF_F_SEGV_ON_FAULT, NUMA_NO_NODE } from './flags.js';
export type { ArenaPoint } from './kernel/core.js';
export type { AllocationKind, ArenaFailure } from './kernel/failure.js';
export type { FreeOutcome } from './kernel/free.js';
export type { ArenaRelease } from './kernel/releases.js';
export type { ArenaKfuncs, KfuncCall } from './kfuncs.js';
export type { ArenaOptions, AttachArenaOptions } from './options.js';
export { attachArena } from './share.js';
