import type { LiveArea } from './live-areas.js';
import type { State, Thread } from './state.js';
import { count } from './tally.js';
import type { Event, Row } from './trace.js';

type Free = Extract<Event, { type: 'free' }>;

/** Repeats the frees of a stream. */
export class Frees {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  /** The row of a free. */
  done(row: Row, event: Free, thread: Thread): void {
    const { trace, lazyMaxPages, counts } = this.#state;
    const before = counts.damage.length;
    const area = thread.isFreed ? null : this.lazyFree(row, event.start, -1);
    thread.isFreed = false;
    // Several processors count at the same time, so the number does not belong to this row.
    if (trace.cpus === 1 && event.lazyPages !== null)
      this.#compareWaiting(row, event.lazyPages, area, counts.damage.length === before);
    if (event.lazyMaxPages !== null) count(counts.lazyMaxPages, lazyMaxPages === event.lazyMaxPages);
  }

  /**
   * Frees an area, so that it waits.
   *
   * @param node - whose lazy list a row names; -1 for none.
   * @returns the area that waits; `null` for none.
   */
  lazyFree(row: Row, recorded: number, node: number): LiveArea | null {
    const { live } = this.#state;
    const area = live.named(recorded);
    if (live.lazyFree(recorded)) return area;
    this.#state.damaged(row, 'a free of an address that no row gave');
    return area ?? this.#freeLost(row, recorded, node);
  }

  /** A thread holds the lock of a lazy list, and the row of its free is lost. */
  lostAt(row: Row, node: number): void {
    const { losses, live, nodes } = this.#state;
    const [lost] = losses.before(this.#state.row, ({ start }) => {
      const own = live.areas.get(start)?.node ?? -1;
      return (own >= 0 ? own : nodes.nodeOf(start)) === node;
    });
    if (lost === undefined) return;
    this.#state.lostFree(row, lost);
    live.lazyFree(lost.start);
  }

  /** Frees an area whose request is lost, and whose place is still free here. */
  #freeLost({ cpu }: Row, start: number, home: number): LiveArea | null {
    const { live, ledger, nodes, trace, row } = this.#state;
    const size = ledger.lost.get(row)?.size ?? null;
    if (size === null || !live.take(start, size)) return null;
    this.#state.isShapeKnown = false;
    const [window] = trace.windows;
    const isUsual = window !== undefined && start >= window.vstart && start < window.vend;
    const node = !isUsual || nodes.count === 1 ? -1 : home >= 0 ? home : cpu % nodes.count;
    const area = { start, size, node };
    nodes.add(area);
    return area;
  }

  /**
   * Compares the waiting pages. What their difference shows is put right, after it has been counted.
   *
   * @param area - what was freed.
   * @param isKnown - false when its request is lost: then its pages are not known before, and nothing is compared.
   */
  #compareWaiting(row: Row, recorded: number, area: LiveArea | null, isKnown: boolean): void {
    const state = this.#state;
    if (area === null && !isKnown) return;
    const { nodes, live, losses, counts, ledger } = state;
    const grown = recorded - nodes.lazyPages - state.lazyOff;
    const lost = grown > 0 && isKnown ? losses.ofPages(state.row, grown) : [];
    for (const one of lost) {
      state.lostFree(row, one);
      live.lazyFree(one.start);
    }
    const isExplained = lost.length > 0 || grown === 0;
    if (isKnown) count(counts.lazyPages, isExplained);
    // The waiting pages may have grown by another area, of which the recording does not tell that it is gone.
    const isSize = grown < 0 || !ledger.open.has(grown);
    if (!isExplained && isSize && area !== null && area.size + grown > 0)
      live.resizeWaiting(area, area.size + grown);
    state.lazyOff = recorded - nodes.lazyPages;
  }
}
