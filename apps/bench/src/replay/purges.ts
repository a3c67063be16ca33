import type { Lock } from '@vmarea/core';
import type { GoneArea } from './ledger.js';
import { PurgeRun } from './purge-run.js';
import { finishSteps, type State, type Thread } from './state.js';
import { count } from './tally.js';
import type { Event, Row } from './trace.js';

/** Repeats the purges of a stream, and the decays of the shrinker. */
export class Purges {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  entered(row: Row, isFull: boolean): void {
    const state = this.#state;
    if (state.purge !== null) state.damaged(row, 'a purge begins while another one runs');
    if (state.trace.cpus === 1) this.#freeLost();
    state.purge = new PurgeRun(state.nodes, row.thread, isFull);
  }

  decay({ thread: name }: Row, thread: Thread, { node, isFull }: Extract<Event, { type: 'decay' }>): void {
    const { hasLocks, nodes, purge } = this.#state;
    this.#begin(thread, nodes.decay(node, isFull));
    // The shrinker decays, too, and takes no list.
    if (!hasLocks && purge?.thread === name) purge.collect(node);
  }

  nodePurged(thread: Thread, node: number): void {
    const { purge, sources, row } = this.#state;
    if (purge === null) return;
    if (!purge.isFull) sources.fill(node, row);
    this.#begin(thread, purge.giveBack(node));
  }

  done(row: Row, thread: Thread, recorded: Extract<Event, { type: 'purge done' }>): void {
    const state = this.#state;
    const { counts } = state;
    // Early in the boot, no row marks the start of a purge.
    const purge = state.purge ?? new PurgeRun(state.nodes, row.thread, false);
    const isWhole = state.purge === null || !state.hasLocks;
    state.purge = null;
    finishSteps(thread);
    const { areas, hull } = purge.end(isWhole);
    const missing = recorded.areas === null ? 0 : recorded.areas - areas;
    const lost = missing > 0 ? state.losses.before(state.row).slice(0, missing) : [];
    for (const one of lost) {
      state.lostFree(row, one);
      state.live.purged(one.start, purge.isFull);
      state.isShapeKnown = false;
    }
    state.lazyOff = 0;
    if (recorded.areas !== null) count(counts.purges, lost.length === Math.max(0, missing) && missing >= 0);
    // The stream lacks what blocks of vm_map_ram add to a flush.
    if (hull !== null) count(counts.flushes, recorded.start <= hull.start && recorded.end >= hull.end);
  }

  /** Frees what the number of areas at the end of the purge that begins shows, and no row tells: it is a part of this purge. */
  #freeLost(): void {
    const state = this.#state;
    const end = this.#end();
    if (end === null || end.missing <= 0) return;
    const lost: GoneArea[] = state.losses.before(state.row).slice(0, end.missing);
    for (const one of lost) {
      state.lostFree(end.row, one);
      state.live.lazyFree(one.start);
    }
  }

  /** The end of the purge that begins, and how many areas it has that no row freed. */
  #end(): { readonly row: Row; readonly missing: number } | null {
    const { rows } = this.#state.trace;
    let waiting = this.#waiting();
    for (let i = this.#state.row + 1, isTaken = false; i < rows.length; i++) {
      const row = rows[i] as Row;
      const { event } = row;
      if (event.type === 'purge entered') return null;
      if (event.type === 'decay') isTaken = true;
      else if (event.type === 'free' && !isTaken) waiting++;
      else if (event.type === 'purge done')
        return event.areas === null ? null : { row, missing: event.areas - waiting };
    }
    return null;
  }

  #waiting(): number {
    const { nodes } = this.#state;
    let waiting = 0;
    for (let node = 0; node < nodes.count; node++) waiting += nodes.state(node).lazy.length;
    return waiting;
  }

  /** Begins a part of a purge, up to its first lock. */
  #begin(thread: Thread, steps: Generator<Lock>): void {
    finishSteps(thread);
    thread.steps = steps;
    if (!this.#state.hasLocks) finishSteps(thread);
    else if (steps.next().done === true) thread.steps = null;
  }
}
