import type { FreeSpace, VmapNodes } from '@vmarea/core';
import type { Counts } from './counts.js';
import type { EarlyArea } from './early-areas.js';
import { Explanation } from './explanation.js';
import { Frees } from './frees.js';
import type { LiveArea } from './live-areas.js';
import { Percpu } from './percpu.js';
import { Purges } from './purges.js';
import { Requests } from './requests.js';
import { finishSteps, State } from './state.js';
import { type Target, targetsOf } from './targets.js';
import type { Event, Row, Trace } from './trace.js';

/** What a replay knows besides the rows. */
export interface Known {
  /** Areas from before the first row, by address. */
  readonly early: readonly EarlyArea[];
  /** Chunks of per-cpu memory from before the recorder's probes, by address. */
  readonly earlyChunks?: readonly EarlyArea[];
  /** Pages of the areas at the end, by first page; `null` when unknown. */
  readonly end?: ReadonlyMap<number, number> | null;
}

/**
 * Repeats every decision of a recorded stream. Requests and their order come from the recording, answers from vmarea.
 *
 * A recorded address is only the name of an area. Rows of one processor are in their true order. With several processors, a thread acts
 * where a row says that it holds a lock; before the first such row, in the order of rows.
 */
export class Replayer {
  readonly #state: State;
  readonly #requests: Requests;
  readonly #frees: Frees;
  readonly #purges: Purges;
  readonly #percpu: Percpu;

  constructor(trace: Trace, { early, earlyChunks = [], end = null }: Known) {
    this.#state = new State(trace, { early, chunks: earlyChunks, end });
    this.#requests = new Requests(this.#state, new Explanation(this.#state));
    this.#frees = new Frees(this.#state);
    this.#purges = new Purges(this.#state);
    this.#percpu = new Percpu(this.#state, earlyChunks);
  }

  /** What was compared. */
  get counts(): Counts {
    return this.#state.counts;
  }

  /** Areas whose recorded request failed. Nothing frees them. */
  get surplus(): readonly LiveArea[] {
    return this.#state.surplus;
  }

  /** The free tree. */
  get free(): FreeSpace {
    return this.#state.free;
  }

  /** Pools and lazy lists. */
  get nodes(): VmapNodes {
    return this.#state.nodes;
  }

  /** Live areas by recorded first page; `null` for one that failed here. */
  get areas(): ReadonlyMap<number, LiveArea | null> {
    return this.#state.live.areas;
  }

  /** Puts right what the recording contradicts itself about, after a difference has been counted. */
  putRight(): void {
    this.#state.resizeAll();
  }

  /** @param snapshot - is called at each snapshot with its name. */
  run(snapshot: (name: string) => void): void {
    const state = this.#state;
    const { rows } = state.trace;
    const targets = targetsOf(rows);
    for (const [i, row] of rows.entries()) {
      const { event } = row;
      state.row = i;
      if (row.cpu !== rows[0]?.cpu) state.isAlone = false;
      this.#percpu.passEarly(event);
      if (event.type === 'lock') this.#locked(row, event, targets[i] ?? null);
      else if (event.type === 'snapshot') snapshot(event.name);
      else this.#event(row, event);
      state.losses.passed(i);
      state.thread(row.thread).since = i;
    }
    this.#percpu.takeEarly();
    state.lostAtEnd();
  }

  /** A thread holds a lock: it does now what its next row says. */
  #locked(row: Row, event: Extract<Event, { type: 'lock' }>, target: Target | null): void {
    const state = this.#state;
    state.hasLocks = true;
    const thread = state.thread(row.thread);
    const { purge } = state;
    if (thread.steps !== null && event.lock !== 'lazy') {
      if (thread.steps.next().done === true) thread.steps = null;
    } else if (event.lock === 'lazy' && purge !== null && purge.thread === row.thread) {
      finishSteps(thread);
      purge.collect(event.node);
    } else if (thread.percpu !== null) this.#percpu.locked(thread, thread.percpu);
    else if (target?.event.type === 'free' && event.lock === 'lazy') {
      this.#frees.lazyFree(row, target.event.start, event.node);
      thread.isFreed = true;
    } else if (target?.event.type === 'allocation' && event.lock !== 'lazy')
      this.#requests.locked(row, thread, event, { request: target.event, row: target.row });
    else if (target === null && event.lock === 'lazy') this.#frees.lostAt(row, event.node);
  }

  #event(row: Row, event: Event): void {
    const thread = this.#state.thread(row.thread);
    switch (event.type) {
      case 'allocation':
        this.#requests.done(row, event, thread);
        return;
      case 'free':
        this.#frees.done(row, event, thread);
        return;
      case 'exhausted':
        thread.found = null;
        thread.around = null;
        thread.retried = thread.failed;
        return;
      case 'purge entered':
        this.#purges.entered(row, event.isFull);
        return;
      case 'decay':
        this.#purges.decay(row, thread, event);
        return;
      case 'node purged':
        this.#purges.nodePurged(thread, event.node);
        return;
      case 'purge done':
        this.#purges.done(row, thread, event);
        return;
      case 'percpu entered':
        thread.percpu = event;
        thread.base = null;
        return;
      case 'percpu done':
        this.#percpu.done(row, thread, event.start);
        return;
      default:
    }
  }
}
