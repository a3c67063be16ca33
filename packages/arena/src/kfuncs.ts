import { VmError } from '@vmarea/core';
import { allocate } from './kernel/allocate.js';
import type { ArenaCore } from './kernel/core.js';
import { free } from './kernel/free.js';
import { reserve } from './kernel/reserve.js';

/** The call of a kfunc by an interpreter: its registers, and where the result goes. */
export interface KfuncCall {
  /** r1 to r5: the lower word of each, then its upper word; signed. */
  readonly args: Int32Array;
  /** Sets r0 by its two words. */
  returnWords(lo: number, hi: number): void;
}

/**
 * The kfuncs of an arena by their names. Each returns what Linux returns. The map in r1 is not looked at.
 *
 * A type and no interface: an interpreter takes functions by any name, and an interface does not go there.
 */
export type ArenaKfuncs = {
  /** r2: the hint; r3: pages; r4: node; r5: flags. Returns the user address, or NULL. */
  readonly bpf_arena_alloc_pages: (call: KfuncCall) => void;
  /** r2: the address; r3: pages. */
  readonly bpf_arena_free_pages: (call: KfuncCall) => void;
  /** r2: the address; r3: pages. Returns 0 or the negative error. Since 7.1. */
  readonly bpf_arena_reserve_pages?: (call: KfuncCall) => void;
};

/** Linux's numbers of what a reservation may say (`include/uapi/asm-generic/errno-base.h`). */
const ERRNO: Readonly<Record<string, number>> = { EAGAIN: 11, ENOMEM: 12, EBUSY: 16, EINVAL: 22 };

/** @param isSleepable - which of the two variants the verifier chooses for the program. */
export function kfuncsOf(core: ArenaCore, isSleepable: boolean): ArenaKfuncs {
  return Object.freeze({
    bpf_arena_alloc_pages: (call: KfuncCall) => {
      const { args } = call;
      const low = allocate(core, {
        hintLow: unsigned(args, 2),
        hintHigh: unsigned(args, 3),
        count: unsigned(args, 4),
        node: args[6] as number,
        flags: (args[8] as number) | (args[9] as number),
        align: 1,
        isSleepable,
      });
      if (low === null) call.returnWords(0, 0);
      else call.returnWords(low, core.userHigh);
    },
    bpf_arena_free_pages: ({ args }: KfuncCall) => {
      core.enter();
      const address = unsigned(args, 2);
      const low = address - (address % core.geometry.pageBytes);
      const isNull = address === 0 && args[3] === 0;
      if (isNull || args[4] === 0 || core.slotAt(low) >= core.userPages) return;
      free(core, low, unsigned(args, 4), isSleepable);
    },
    ...(core.rules.isAnyContext
      ? {
          bpf_arena_reserve_pages: (call: KfuncCall) => {
            const code = reserved(core, unsigned(call.args, 2), unsigned(call.args, 4));
            call.returnWords(code, code >> 31);
          },
        }
      : {}),
  });
}

/** 0, or the negative error. An address inside a page reserves nothing, and is no error. */
function reserved(core: ArenaCore, low: number, count: number): number {
  core.enter();
  if (count === 0 || low % core.geometry.pageBytes !== 0) return 0;
  try {
    reserve(core, low, count);
    return 0;
  } catch (error) {
    const errno = error instanceof VmError ? ERRNO[error.code] : undefined;
    if (errno === undefined) throw error;
    return -errno;
  }
}

function unsigned(args: Int32Array, at: number): number {
  return (args[at] as number) >>> 0;
}
