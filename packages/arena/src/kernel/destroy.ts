import { VmError } from '@vmarea/core';
import type { ArenaCore } from './core.js';
import { runWorker } from './worker.js';

/**
 * Ends an arena (arena_map_free): finishes deferred frees, then frees its pages and its window.
 *
 * @throws VmError `EBUSY` while a process maps it; what a sink throws in a deferred free: then nothing else is freed.
 */
export function destroy(core: ArenaCore): void {
  core.enter();
  const { users, window, kernel, pages, scratch } = core;
  if (users.regions > 0)
    throw new VmError('EBUSY', `${users.regions} regions of processes map the arena`, {
      advice: 'unmap them, or destroy the processes first',
    });
  // Linux waits until the worker has run. It gets the lock in the end.
  core.isEnding = true;
  try {
    while (core.spans.length > 0 || core.unfinished.length > 0) runWorker(core);
  } finally {
    core.isEnding = false;
  }
  const frames = window.frames().filter((frame) => frame !== scratch);
  core.isDestroyed = true;
  try {
    kernel.freeVmArea(window.area);
  } finally {
    pages.free(frames);
    if (scratch >= 0) pages.free(Float64Array.of(scratch));
  }
}
