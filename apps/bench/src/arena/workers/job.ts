import type { ArenaDescription } from '@vmarea/arena';
import type { AddressSpace, Description, FrameAllocator, Process } from '@vmarea/core';

/** What workers do at the same time in one arena, with what a unit of it is. */
export const WORKS = [
  [
    'apart',
    'as pages, in a memory and an arena of its own: what this machine gives to workers that share nothing',
  ],
  ['pages', 'allocate and free one page'],
  ['batches', 'allocate and free 64 pages at once, by the page'],
  ['faults', "a process of the worker's own populates pages by faults, and they are freed"],
  ['accesses', 'load and store 32 bits through a view, in pages of the worker'],
] as const;

/** The name of a work. */
export type WorkName = (typeof WORKS)[number][0];

/** Pages of each worker. */
export const OWN_PAGES = 1024;
/** Pages of a batch. */
export const BATCH = 64;
/** How often a round populates and frees the pages of a worker: V8 compiles what has run often, and a batch is one call. */
export const TURNS = 4;
/** Accesses of a round. */
export const ACCESSES = 400_000;

/** Units that each worker does in a round. */
export function unitsOf(work: WorkName): number {
  return work === 'accesses' ? ACCESSES : TURNS * OWN_PAGES;
}

/** What a worker is started with. It marks a worker of this command, too. */
export interface ArenaWorkerJob {
  readonly vmareaArenaWorker: {
    /** The name of the configuration. */
    readonly configuration: string;
    /** The folder whose package.json may name formats. */
    readonly cwd: string;
    readonly description: Description<{ frames: FrameAllocator; kernel: AddressSpace; process: Process }>;
    readonly arena: ArenaDescription;
    /** The words and times by which the workers are led. */
    readonly lead: SharedArrayBuffer;
    /** Which worker it is, from 0 on. */
    readonly index: number;
    readonly workers: number;
  };
}
