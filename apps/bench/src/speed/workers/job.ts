import type { AddressSpace, Description } from '@vmarea/core';

/** What workers do at the same time: with nothing in common, and over one address space. */
export const WORKS = ['apart', 'private', 'sparse', 'neighbours'] as const;
export type WorkName = (typeof WORKS)[number];

/** Pages of one call in private areas. */
export const CALL_PAGES = 64;
/** How often a round maps and unmaps an area of its own: a call for 64 pages is much faster than 64 calls. */
const OWN_TURNS = 4;

/** Base pages that each worker maps in a round. */
export function pagesOfRound(work: WorkName, pages: number): number {
  return work === 'apart' || work === 'private' ? pages * OWN_TURNS : pages;
}

/** What a worker is started with. It marks a worker of this command, too. */
export interface WorkerJob {
  readonly vmareaSpeedWorker: {
    /** The name of the configuration. */
    readonly configuration: string;
    /** The folder whose package.json may name formats. */
    readonly cwd: string;
    /** The address space that all workers use. */
    readonly description: Description<{ kernel: AddressSpace }>;
    /** The words and times by which the workers are led. */
    readonly lead: SharedArrayBuffer;
    /** Which worker it is, from 0 on. */
    readonly index: number;
    readonly workers: number;
    /** Base pages of each worker. */
    readonly pages: number;
    readonly seed: number;
    /** First address of the sparse area that all workers populate. */
    readonly shared: bigint;
  };
}
