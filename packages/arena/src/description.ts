import { VmError } from '@vmarea/core';
import type { ArenaCore } from './kernel/core.js';
import type { ArenaRelease } from './kernel/releases.js';

/** An arena as plain data and shared memory, for another thread: for `postMessage` or `workerData`, which clone it. */
export interface ArenaDescription {
  /** Grows when a description changes: both threads need one version of the library. */
  readonly version: number;
  /** Names the arena in all threads. */
  readonly number: number;
  /** Its state. */
  readonly state: SharedArrayBuffer;
  /** Physical address of the root of its kernel, and address of its area, in bytes. */
  readonly root: bigint;
  readonly area: bigint;
  readonly release: ArenaRelease;
  readonly maxEntries: number;
  readonly flags: number;
  readonly nodes: number;
  readonly strictHints: boolean;
  readonly reserveNull: number;
}

/** The version of this library. */
export const DESCRIPTION_VERSION = 1;

/** Describes an arena. @throws VmError `EINVAL` for one of one thread, and for one that was destroyed. */
export function describeArena(arena: { readonly release: ArenaRelease }, core: ArenaCore): ArenaDescription {
  core.requireLive();
  const { sharing, words, kernel, window, maxEntries, flags, nodes, strictHints, reserveNull } = core;
  if (sharing === null)
    throw new VmError('EINVAL', 'the arena is for one thread', {
      advice: 'make its AddressSpace with `threads`',
    });
  return {
    ...{
      version: DESCRIPTION_VERSION,
      number: sharing.threads.numberOf(arena),
      state: words.buffer as SharedArrayBuffer,
    },
    ...{ root: kernel.table.root, area: window.area.addr, release: arena.release },
    ...{ maxEntries, flags, nodes, strictHints, reserveNull },
  };
}
