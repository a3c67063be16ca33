import { VmError } from '@vmarea/core';
import type { ArenaCore } from './core.js';
import { runWorker } from './worker.js';

/**
 * Ends an arena (arena_map_free): finishes deferred frees, then frees its pages and its window.
 *
 * @throws VmError `EBUSY` while a process maps it, and while another thread is in a call of it; what a sink throws in a deferred free:
 *   then nothing else is freed.
 */
export function destroy(core: ArenaCore): void {
  core.enter();
  const { users, window, kernel, pages, scratch, slots } = core;
  requireUnmapped(core);
  // Linux waits until the worker has run. It gets the lock in the end.
  core.isEnding = true;
  try {
    while (core.spans.length > 0 || core.unfinished.length > 0) runWorker(core);
  } finally {
    core.isEnding = false;
  }
  users.lock();
  try {
    requireUnmapped(core);
    core.relock();
    try {
      if (slots.hasUnavailable(0, core.maxEntries))
        throw new VmError('EBUSY', 'another thread is in the middle of a call of the arena', {
          advice: 'destroy it when no thread uses it',
        });
      // Nobody begins a call from here on.
      core.isDestroyed = true;
    } finally {
      core.unlock();
    }
  } finally {
    users.unlock();
  }
  try {
    const frames = window.frames().filter((frame) => frame !== scratch);
    try {
      kernel.freeVmArea(window.area);
    } finally {
      if (!window.area.isLive) pages.free(scratch >= 0 ? [...frames, scratch] : frames);
    }
  } catch (error) {
    // The kernel refuses it while another thread is in a call on its pages.
    if (window.area.isLive) core.isDestroyed = false;
    throw error;
  } finally {
    if (core.isDestroyed) core.ended();
  }
}

/** @throws VmError `EBUSY` while a process maps the arena. */
function requireUnmapped({ users }: ArenaCore): void {
  if (users.regions > 0)
    throw new VmError('EBUSY', `${users.regions} regions of processes map the arena`, {
      advice: 'unmap them, or destroy the processes first',
    });
}
