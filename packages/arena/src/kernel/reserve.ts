import { VmError } from '@vmarea/core';
import { BUSY_SPAN, NO_NODE } from '../slots/codes.js';
import type { ArenaCore } from './core.js';
import { Step } from './sharing.js';

/**
 * Takes a span out of what requests may get (arena_reserve_pages). No page is mapped.
 *
 * @param low - low half of the first address, on a page.
 * @throws VmError `EINVAL` beyond the end; `EBUSY` when the lock is not obtained, or a slot is taken; `EAGAIN` when one is
 *   unavailable; `ENOMEM` for a node.
 */
export function reserve(core: ArenaCore, low: number, count: number): void {
  const slot = core.slotAt(low);
  if (slot + count > core.userPages)
    throw new VmError('EINVAL', `pages ${slot} to ${slot + count - 1} are not all in the arena`, {
      address: core.userAt(low),
      advice: `the arena has ${core.userPages} pages`,
    });
  if (!core.lock()) throw new VmError('EBUSY', 'the lock of the arena was not obtained');
  try {
    if (!core.slots.isSet(slot, count))
      throw new VmError('EBUSY', 'a page of the span is allocated or reserved', {
        address: core.userAt(low),
      });
    core.begin(Step.alloc, slot, count);
    const code = core.slots.clear(slot, count);
    if (code === BUSY_SPAN) {
      core.requireNoneDead();
      throw new VmError('EAGAIN', 'a page of the span is being freed, or is being mapped for a user', {
        address: core.userAt(low),
      });
    }
    if (code === NO_NODE) throw new VmError('ENOMEM', 'no memory for the record of a range of slots');
  } finally {
    core.end();
    core.unlock();
  }
}
