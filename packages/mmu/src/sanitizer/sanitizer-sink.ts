import type { FlushSink } from '@vmarea/core';
import type { ProcessorObserver } from '../processor-observer.js';
import { scopeOfDeferred, scopeOfFlush } from './flush-scope.js';
import { lookAtTables, lookAtWholeRuns } from './look.js';
import type { State } from './state.js';
import type { WatchedRoot } from './watched-root.js';

type Flush = Parameters<FlushSink['flush']>;

/**
 * A flush sink that notes what is asked, and passes it on.
 *
 * @param everybody - has done each flush when the target returns; `null` when each processor says so for itself.
 */
export function sanitizerSink(
  state: State,
  target: FlushSink | undefined,
  everybody: ProcessorObserver | null,
): FlushSink {
  return {
    flush: (...flush) => {
      const event = request(state, flush);
      try {
        target?.flush(...flush);
      } catch (error) {
        state.stale.withdraw(event);
        throw error;
      }
      everybody?.flushDone(...flush);
      state.reports.raise();
    },
    changing: () => {
      begin(state);
      target?.changing?.();
    },
    deferred: (...range) => {
      defer(state, range);
      target?.deferred?.(...range);
    },
  };
}

/** No processor uses a root any more: all of it may only be cached. */
export function endRoot({ roots }: State, root: WatchedRoot): void {
  roots.splice(roots.indexOf(root), 1);
  root.tree.end();
}

/** Notes a flush that is requested; returns its event. */
function request(state: State, flush: Flush): number {
  if (state.isBlind) return 0;
  const [, , , tablesFreed] = flush;
  state.event++;
  lookAtWholeRuns(state);
  for (const root of state.roots.filter(({ pfn }) => tablesFreed.includes(pfn))) endRoot(state, root);
  state.stale.request(scopeOfFlush(...flush), state.event);
  return state.event;
}

/** What is valid at this moment may be cached, also when it is gone at the next event. */
function begin(state: State): void {
  if (state.isBlind) return;
  state.event++;
  lookAtTables(state);
  state.isBehind = true;
}

function defer(state: State, [va, bytes, until, asid]: Parameters<NonNullable<FlushSink['deferred']>>): void {
  if (state.isBlind) return;
  state.event++;
  lookAtTables(state);
  const sign = state.roots.find((one) => one.asid === asid && one.format.range.upper === 'sign');
  const half = sign === undefined ? 0n : 1n << BigInt(sign.format.range.bits - 1);
  const beyond = va < half && va + bytes > half ? va + bytes - half : 0n;
  state.stale.defer(scopeOfDeferred(va, bytes - beyond, asid), until, state.event);
  if (beyond > 0n) state.stale.defer(scopeOfDeferred((1n << 64n) - half, beyond, asid), until, state.event);
}
