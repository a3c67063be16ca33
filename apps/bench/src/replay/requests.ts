import type { Allocation } from '@vmarea/compare';
import type { Explanation } from './explanation.js';
import type { Source, Wanted } from './sources.js';
import type { State, Thread } from './state.js';
import { count } from './tally.js';
import type { Event, Row } from './trace.js';

/** Repeats the requests of a stream. */
export class Requests {
  readonly #state: State;
  readonly #explanation: Explanation;

  constructor(state: State, explanation: Explanation) {
    this.#state = state;
    this.#explanation = explanation;
  }

  /** A thread holds a lock for its request. */
  locked(
    row: Row,
    thread: Thread,
    lock: Extract<Event, { type: 'lock' }>,
    target: { readonly request: Allocation; readonly row: number },
  ): void {
    if (thread.found !== null) return;
    const { request } = target;
    const { size, align } = request;
    const { nodes } = this.#state;
    if (lock.lock === 'pool') {
      thread.node = lock.node;
      const pooled = nodes.take(lock.node, size, align);
      if (pooled >= 0) thread.found = this.#fromPool({ start: pooled, pool: lock.node }, target);
    } else if (lock.lock === 'heap') {
      if (thread.node < 0) thread.node = thread.retried >= 0 ? thread.retried : row.cpu;
      this.#state.readAround(thread, request.start);
      thread.found = this.#fromTree(target);
    }
  }

  /** The row of a request. */
  done(row: Row, event: Allocation, thread: Thread): void {
    const state = this.#state;
    const { counts, live, nodes } = state;
    const wanted = this.#wanted(event);
    const isOrdered = thread.found !== null || state.isAlone || event.start === null;
    if (!isOrdered) counts.unordered++;
    const isKnown = thread.found !== null || thread.retried >= 0;
    const source = thread.found ?? this.#serve(row, event, thread, wanted);
    const node = wanted.isUsual && nodes.count > 1 ? thread.node % nodes.count : -1;
    const recorded = event.start;
    const found = source.start < 0 ? null : source.start;
    const other =
      isKnown || recorded === null || recorded === found || source.explained !== undefined
        ? null
        : state.sources.otherwise(recorded, source, wanted, {
            node: thread.node,
            since: thread.since,
            isOrdered,
          });
    thread.found = null;
    thread.node = -1;
    thread.retried = -1;
    thread.failed = recorded === null ? node : -1;
    const ambiguous = source.isOtherShape === true ? source : other;
    if (ambiguous !== null) {
      counts.ambiguous.push(row.line);
      if (!isOrdered) counts.ambiguousUnordered++;
      else if (other === null) counts.ambiguousShape++;
      const { start, pool } = ambiguous;
      if (pool >= 0) counts.fromPools++;
      live.add(start, { start, size: event.size, node: pool >= 0 ? pool : node, row: state.row });
      thread.around = null;
      return;
    }
    if (source.pool >= 0) counts.fromPools++;
    const what = (): string => `${event.size} pages aligned to ${event.align} in window ${event.window}`;
    state.compare(recorded === null ? counts.failures : counts.placements, row, thread, {
      what,
      recorded,
      found,
    });
    if (event.align > 1 && isOrdered && recorded !== null) count(counts.aligned, recorded === found);
    this.#place(event, source, wanted, node, isOrdered);
  }

  /** Gives an area its place, after the answer has been counted. */
  #place(
    { start: recorded, size }: Allocation,
    source: Source,
    wanted: Wanted,
    node: number,
    isOrdered: boolean,
  ): void {
    const { live, healing, surplus, row, ledger, wrongSizes } = this.#state;
    if (recorded !== null && ledger.sizes.has(row)) wrongSizes.add(recorded);
    const found = source.start < 0 ? null : source.start;
    if (source.explained !== undefined && recorded !== null) {
      live.add(recorded, { start: recorded, size: source.explained, node, row });
      return;
    }
    if (recorded === found) {
      if (found !== null) live.add(found, { start: found, size, node, row });
      return;
    }
    const healed = healing.placed({ row, recorded, source, isOrdered }, wanted, node);
    const area = healed === null ? null : { ...healed, row };
    if (recorded !== null) live.add(recorded, area);
    else if (area !== null) live.add(area.start, area);
    else if (found !== null) surplus.push({ start: found, size, node });
  }

  /** Serves a request without a lock row at its row. */
  #serve(row: Row, request: Allocation, thread: Thread, wanted: Wanted): Source {
    const state = this.#state;
    const isKnown = thread.retried >= 0;
    thread.node = (isKnown ? thread.retried : row.cpu) % state.nodes.count;
    state.readAround(thread, request.start);
    const target = { request, row: state.row };
    const pooled =
      wanted.isUsual && !isKnown ? state.sources.fromPool(thread.node, wanted, thread.since) : null;
    return pooled === null ? this.#fromTree(target) : this.#fromPool(pooled, target);
  }

  #fromTree({ request, row }: { readonly request: Allocation; readonly row: number }): Source {
    const wanted = this.#wanted(request);
    const { size, align, vstart, vend } = wanted;
    const { free } = this.#state;
    const found = free.find(size, align, vstart, vend);
    if (request.start !== null && found !== request.start) {
      const explained = this.#explanation.ofTree(row, wanted, request.start, found);
      if (explained !== null) return { start: found, pool: -1, explained };
      if (this.#explanation.otherShape(row, wanted, request.start))
        return { start: request.start, pool: -1, isOtherShape: true };
    }
    return { start: free.take(size, align, vstart, vend), pool: -1 };
  }

  /** A range was taken from a pool. */
  #fromPool(taken: Source, { request, row }: { readonly request: Allocation; readonly row: number }): Source {
    if (request.start === null || request.start === taken.start) return taken;
    const explained = this.#explanation.ofPool(row, this.#wanted(request), request.start, taken);
    return explained === null ? taken : { ...taken, explained };
  }

  #wanted({ size, align, window }: Allocation): Wanted {
    const { vstart, vend } = this.#state.trace.windows[window] ?? { vstart: 0, vend: 0 };
    return { size, align, vstart, vend, isUsual: window === 0 };
  }
}
