import type { ThreadCalls } from '@vmarea/core';
import type { Mmu } from '@vmarea/mmu';
import type { ViewOf } from './data/view.js';

/** Options of `Arena.allocPages`. */
export interface AllocOptions {
  /**
   * The user address must be a multiple of so many bytes: a power of two, a page or more, at most 4 GiB. Linux knows no
   * alignment. Default: a page.
   */
  readonly align?: number;
  /** False: the caller may not sleep, so that pages of a failed request are given back by the worker. Default: true. */
  readonly sleepable?: boolean;
}

/** Options of `Arena.freePages`. */
export interface FreeOptions {
  /** False: the caller may not sleep, so the worker frees (bpf_arena_free_pages_non_sleepable). Default: true. */
  readonly sleepable?: boolean;
}

/** Options of `Arena.view`. */
export interface ViewOptions {
  /** Whose accesses it makes; see `ArenaView`. Default: `program`. */
  readonly by?: ViewOf;
  /**
   * The processor. It must translate with the tables of the kernel or of the process, and get their flushes: `processorOf` of
   * `@vmarea/mmu` makes one. Default: the arena's own, or for a process, one that is made with the view.
   */
  readonly mmu?: Mmu;
}

/** What an interpreter of BPF programs needs of an arena. */
export interface ArenaPort {
  /** Makes the accesses of the program, in kernel mode. */
  readonly mmu: Mmu;
  /** Kernel address of the low half 0. */
  readonly kernVmStart: bigint;
  /** First user address; 0n while it is not known. */
  readonly userVmStart: bigint;
  /** Pages of the arena. */
  readonly pages: number;
  /** Bytes of a page. */
  readonly pageSize: number;
  /** Casts to user space do nothing (BPF_F_NO_USER_CONV). */
  readonly noUserConv: boolean;
  /** The threads that use the arena; `null` for one. The processor forgets what they flush when `deliver` is called. */
  readonly threads: Pick<ThreadCalls, 'isBehind' | 'deliver'> | null;
}

/** How `Arena.mmap` maps an arena. */
export interface ArenaMmapOptions {
  /** Where. Default: where the arena is; for the first process, anywhere. */
  readonly address?: bigint;
  /** Bytes. Default: all of the arena, which is also the only length that is allowed. */
  readonly length?: number | bigint;
  /** True: at this address, whatever is there now (MAP_FIXED). Default: false. */
  readonly fixed?: boolean;
  /** The process may write. Default: true. */
  readonly write?: boolean;
}
