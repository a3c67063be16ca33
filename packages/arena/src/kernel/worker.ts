import { BUSY_SPAN, NO_NODE } from '../slots/codes.js';
import type { ArenaCore } from './core.js';
import { Failure } from './failure.js';
import { giveFrames, makeAvailable, requeue, takePages } from './free.js';
import { Step } from './sharing.js';
import type { Span } from './spans.js';
import { TeardownList } from './teardown.js';

/** A span that is torn down, and what was in it. */
interface Torn {
  readonly span: Span;
  readonly slot: number;
  frames: Float64Array;
}

/**
 * Finishes the frees that wait (arena_free_worker).
 *
 * @returns the number of spans that it took from the queue.
 */
export function runWorker(core: ArenaCore): number {
  core.enter();
  goOn(core);
  if (!core.lock()) {
    core.fail(Failure.lock);
    return 0;
  }
  core.calls++;
  try {
    let taken = 0;
    let refusal: unknown = null;
    const torn: Torn[] = [];
    try {
      for (; core.spans.length > 0; taken++) {
        const one = takeSpan(core);
        if (one !== null) torn.push(one);
      }
    } catch (error) {
      // What was taken before is this thread's: it is torn down first.
      refusal = error;
    } finally {
      core.end();
      core.unlock();
    }
    if (taken > 0) tearDown(core, torn);
    if (refusal !== null) throw refusal;
    return taken;
  } finally {
    core.calls--;
  }
}

/** Goes on with frees that a sink interrupted. One that throws again waits again, with those after it. */
function goOn(core: ArenaCore): void {
  const { unfinished } = core;
  for (let left = unfinished.length; left > 0; left--) {
    unfinished[0]?.();
    unfinished.shift();
  }
}

/** Takes the newest span from the queue. This thread has the lock. @returns `null` when nothing is left to do for it. */
function takeSpan(core: ArenaCore): Torn | null {
  const { spans, slots } = core;
  const span = spans.newest;
  const slot = core.slotAt(span.low);
  core.sharing?.begin(Step.free, slot, span.pages, spans.length - 1);
  spans.drop();
  if (span.isReleaseOnly) {
    // After a death, the range may be somebody else's by now.
    if (core.sharing?.isQueued(slot) !== false && slots.lengthAt(slot) === -span.pages)
      makeAvailable(core, slot, span.pages);
    return null;
  }
  const code = core.isLate ? slots.setUnavailable(slot, span.pages) : slots.setAvailable(slot, span.pages);
  if (code !== 0) {
    core.fail(code === NO_NODE || !core.isLate ? Failure.range : Failure.unavailable);
    if (code === BUSY_SPAN) requireNoneDead(core, span);
    return null;
  }
  if (core.isLate) core.sharing?.hold(slot, Step.free);
  // Where the slots are available now, Linux clears their entries before it gives the lock back.
  return { span, slot, frames: core.isLate ? NONE : takePages(core, span.low, span.pages) };
}

/** Lets a span wait that meets a range of a dead thread: a recovery comes first. @throws VmError `EOWNERDEAD`. */
function requireNoneDead(core: ArenaCore, span: Span): void {
  try {
    core.requireNoneDead();
  } catch (error) {
    core.spans.add(span);
    throw error;
  }
}

const NONE = new Float64Array(0);

/** The steps of all spans, in Linux's order. */
function tearDown(core: ArenaCore, torn: readonly Torn[]): void {
  const { isLate } = core;
  // Linux moves the spans from list to list, which reverses their order each time.
  const flushed = isLate ? [...torn].reverse() : torn;
  core.tearDown(
    new TeardownList([
      ...(isLate ? torn.map((one) => () => takeLate(core, one)) : []),
      () => core.pause('flush'),
      ...flushed.map((one) => () => flushAndZap(core, one)),
      ...torn.map((one) => () => giveFrames(core, one.slot, one.span.pages, one.frames)),
      () => core.pause('release'),
      () => {
        if (isLate && torn.length > 0) release(core, torn);
      },
    ]),
  );
}

function takeLate(core: ArenaCore, one: Torn): void {
  one.frames = takePages(core, one.span.low, one.span.pages);
}

function flushAndZap(core: ArenaCore, { span, slot }: Torn): void {
  core.flush(span.low, span.pages);
  core.users.zap(slot, span.pages);
}

/** Makes all slots available under one lock; or leaves that to the next run. */
function release(core: ArenaCore, torn: readonly Torn[]): void {
  if (!core.lock()) {
    for (const { span } of torn) requeue(core, span.low, span.pages);
    return;
  }
  for (const { slot, span } of torn) makeAvailable(core, slot, span.pages);
  core.end();
  core.unlock();
}
