import { NO_NODE } from '../slots/codes.js';
import type { ArenaCore } from './core.js';
import { Failure } from './failure.js';
import { takePages } from './free.js';
import type { Span } from './spans.js';
import { TeardownList } from './teardown.js';

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
  const spans = core.spans.takeAll();
  if (spans.length === 0) return 0;
  if (core.rules.free === 'late') workLate(core, spans);
  else workEarly(core, spans);
  return spans.length;
}

/** Goes on with frees that a sink interrupted. One that throws again waits again, with those after it. */
function goOn(core: ArenaCore): void {
  const { unfinished } = core;
  for (let left = unfinished.length; left > 0; left--) {
    unfinished[0]?.();
    unfinished.shift();
  }
}

/** Slots are unavailable until everything else is done. */
function workLate(core: ArenaCore, spans: readonly Span[]): void {
  const torn: Span[] = [];
  const frames: Float64Array[] = [];
  for (const span of spans) {
    const slot = core.slotAt(span.low);
    if (span.isReleaseOnly) {
      core.slots.makeAvailable(slot, span.pages);
      continue;
    }
    const code = core.slots.setUnavailable(slot, span.pages);
    if (code === 0) {
      frames.push(takePages(core, span.low, span.pages));
      torn.push(span);
    } else core.fail(code === NO_NODE ? Failure.range : Failure.unavailable);
  }
  core.tearDown(
    new TeardownList([
      () => core.pause('flush'),
      // Linux moves the spans from list to list, which reverses their order each time.
      ...[...torn].reverse().map((span) => () => flushAndZap(core, span)),
      ...frames.map((list) => () => core.pages.free(list)),
      () => core.pause('release'),
      () => {
        const isLocked = torn.length === 0 || core.lock();
        for (const { low, pages } of torn)
          if (isLocked) core.slots.makeAvailable(core.slotAt(low), pages);
          else core.spans.add({ low, pages, isReleaseOnly: true });
      },
    ]),
  );
}

/** Slots are available before the flush. */
function workEarly(core: ArenaCore, spans: readonly Span[]): void {
  const torn: Span[] = [];
  const frames: Float64Array[] = [];
  for (const span of spans) {
    if (core.slots.setAvailable(core.slotAt(span.low), span.pages) === 0) {
      frames.push(takePages(core, span.low, span.pages));
      torn.push(span);
    } else core.fail(Failure.range);
  }
  core.tearDown(
    new TeardownList([
      () => core.pause('flush'),
      ...torn.map((span) => () => flushAndZap(core, span)),
      ...frames.map((list) => () => core.pages.free(list)),
      () => core.pause('release'),
    ]),
  );
}

function flushAndZap(core: ArenaCore, { low, pages }: Span): void {
  core.flush(low, pages);
  core.users.zap(core.slotAt(low), pages);
}
