import type { FaultResult, RegionFault } from '@vmarea/core';
import { BPF_F_SEGV_ON_FAULT } from '../flags.js';
import { mapNew } from '../kernel/allocate.js';
import type { ArenaCore } from '../kernel/core.js';
import { type ArenaFailure, Failure } from '../kernel/failure.js';
import { lowOf } from '../kernel/pointers.js';
import { Step, type StepValue } from '../kernel/sharing.js';
import { BUSY_SPAN } from '../slots/codes.js';
import { SlotState } from '../slots/slot-states.js';

/** Serves a user's fault (arena_vm_fault). */
export function serveFault(core: ArenaCore, fault: RegionFault): FaultResult {
  core.enter();
  core.calls++;
  try {
    return core.isLate ? serveLate(core, fault) : serveLocked(core, fault);
  } finally {
    core.calls--;
  }
}

/** The order up to 7.3: under the lock to the end. */
function serveLocked(core: ArenaCore, fault: RegionFault): FaultResult {
  const { rules, window, slots, scratch } = core;
  const slot = fault.pgoff;
  const low = lowOf(fault.address);
  if (!core.lock()) return rules.faultRetries ? 'retry' : 'BUS';
  try {
    let frame = window.frameAt(low);
    if (frame >= 0 && frame === scratch) return 'SEGV';
    if (frame < 0) {
      if ((core.flags & BPF_F_SEGV_ON_FAULT) !== 0) return 'SEGV';
      core.begin(stepOf(core, slot), slot, 1);
      if (slots.clear(slot, 1) !== 0) return 'SEGV';
      const failure = mapNew(core, low, 1);
      if (failure !== null) {
        slots.setAvailable(slot, 1);
        return refusal(core, failure);
      }
      frame = core.newFrame;
    }
    core.begin(Step.fault, slot, 1);
    fault.mapFrame(frame);
    return 'mapped';
  } finally {
    core.end();
    core.unlock();
  }
}

/**
 * The slot is unavailable while its page is made and mapped for the user: no free comes between. Linux has the lock while the page is
 * made; other threads find the slot unavailable instead.
 */
function serveLate(core: ArenaCore, fault: RegionFault): FaultResult {
  const { sharing } = core;
  const slot = fault.pgoff;
  const low = lowOf(fault.address);
  if (!core.lock()) return 'retry';
  let frame = -1;
  try {
    if (sharing !== null && isUnavailable(core, slot)) return later(core);
    frame = core.window.frameAt(low);
    if (frame >= 0) {
      if (frame === core.scratch) return 'SEGV';
      core.begin(Step.fault, slot, 1);
      const code = core.slots.setUnavailable(slot, 1);
      if (code !== 0) return code === BUSY_SPAN ? 'retry' : 'OOM';
      sharing?.hold(slot, Step.fault);
    } else {
      const refused = takeSlot(core, slot);
      if (refused !== null) return refused;
    }
  } finally {
    core.end();
    core.unlock();
  }
  if (frame >= 0) return insert(core, fault, slot, frame);
  const made = makePage(core, slot, low);
  return made ?? insert(core, fault, slot, core.newFrame);
}

/** Takes the slot of a page that is to be made. This thread has the lock. @returns what the fault comes to; `null` to go on. */
function takeSlot(core: ArenaCore, slot: number): FaultResult | null {
  if ((core.flags & BPF_F_SEGV_ON_FAULT) !== 0) return 'SEGV';
  const step = stepOf(core, slot);
  core.begin(step, slot, 1);
  const code = core.slots.clear(slot, 1);
  if (code === BUSY_SPAN) return later(core);
  if (code !== 0) return 'SEGV';
  core.hold(step, slot, 1);
  return null;
}

/** Makes the page of a slot that was taken. The slot is unavailable then. @returns what the fault comes to; `null` to go on. */
function makePage(core: ArenaCore, slot: number, low: number): FaultResult | null {
  const { sharing, slots } = core;
  let failure: ArenaFailure | null = null;
  let isMade = false;
  try {
    failure = mapNew(core, low, 1);
    isMade = failure === null;
  } finally {
    if (!isMade)
      core.locked(() => {
        core.begin(Step.alloc, slot, 1);
        core.release(slot, 1);
        slots.setAvailable(slot, 1);
      });
  }
  if (failure !== null) return refusal(core, failure);
  if (sharing === null) {
    const code = slots.setUnavailable(slot, 1);
    return code === 0 ? null : code === BUSY_SPAN ? 'retry' : 'OOM';
  }
  sharing.hold(slot, Step.fault);
  // The record that Linux allocates here.
  if (!core.fails('node')) return null;
  core.letGo(Step.fault, slot, 1);
  return 'OOM';
}

/** Maps a page for a user while its slot is unavailable, and gives the slot back. */
function insert(core: ArenaCore, fault: RegionFault, slot: number, frame: number): FaultResult {
  try {
    core.pause('insert');
    fault.mapFrame(frame);
    return 'mapped';
  } finally {
    if (core.sharing === null) core.slots.removeUnavailable(slot, 1);
    else core.letGo(Step.fault, slot, 1);
  }
}

/** What a death leaves of a slot whose page is made: as it was before. */
function stepOf(core: ArenaCore, slot: number): StepValue {
  return core.slots.stateOf(slot) === SlotState.available ? Step.alloc : Step.populate;
}

function isUnavailable(core: ArenaCore, slot: number): boolean {
  const state = core.slots.stateOf(slot);
  return state === SlotState.unavailable || state === SlotState.unavailableRest;
}

/** Another call has the slot. @throws VmError `EOWNERDEAD` when it may be one of a dead thread. */
function later(core: ArenaCore): 'retry' {
  core.requireNoneDead();
  return 'retry';
}

function refusal(core: ArenaCore, failure: ArenaFailure): FaultResult {
  const isMemory = failure === Failure.page || failure === Failure.frames;
  return core.rules.faultIsOom && isMemory ? 'OOM' : 'SEGV';
}
