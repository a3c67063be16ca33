import type { Mmu } from '@vmarea/mmu';
import type { ArenaPlace } from '../link/options.js';

/** What an interpreter needs of the threads that use an arena: `Threads` of core. */
export interface ArenaThreads {
  /** True when another thread has asked for a flush that this thread's processors have not got. */
  readonly isBehind: boolean;
  /** Gives them what others have asked for. */
  deliver(): void;
}

/** What an interpreter needs of an arena: where it is for user space and for the kernel, and a processor that translates. */
export interface ArenaPort extends ArenaPlace {
  /**
   * The processor. All accesses to the arena are its loads, stores and atomics in kernel mode, so an unmapped page is its page fault. Each
   * thread has its own.
   */
  readonly mmu: Mmu;
  /**
   * The kernel's address of the low 32 bits 0 of a pointer (Linux's `kern_vm_start`): the start of the 4 GiB of the arena's window, behind
   * its lower guard of 32 KiB.
   */
  readonly kernVmStart: bigint;
  /** The threads that use the arena, where there are several. Before each access the processor gets the flushes of the others. */
  readonly threads?: ArenaThreads | null;
}
