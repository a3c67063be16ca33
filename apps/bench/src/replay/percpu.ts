import { NOTHING_FITS, takePercpu } from '@vmarea/core';
import type { EarlyArea } from './early-areas.js';
import type { State, Thread } from './state.js';
import type { Event, Row } from './trace.js';

type Asked = Extract<Event, { type: 'percpu entered' }>;

/** Repeats the per-cpu chunks of a stream. */
export class Percpu {
  readonly #state: State;
  /** Chunks from before the probes that are not taken yet, by address. */
  readonly #early: EarlyArea[];

  constructor(state: State, early: readonly EarlyArea[]) {
    this.#state = state;
    this.#early = [...early];
  }

  /** Takes the chunks from before the probes, if a row comes after them. */
  passEarly(event: Event): void {
    if (this.#early.length > 0 && this.#isAfter(event)) this.takeEarly();
  }

  /** Takes the chunks from before the probes, from the highest address down, as Linux does. */
  takeEarly(): void {
    const { live } = this.#state;
    for (let chunk = this.#early.pop(); chunk !== undefined; chunk = this.#early.pop()) {
      const { start, size } = chunk;
      live.add(start, live.take(start, size) ? { start, size, node: -1 } : null);
    }
  }

  /** A thread holds the lock of the heap. */
  locked(thread: Thread, asked: Asked): void {
    thread.base ??= this.#take(asked);
  }

  /** The row of chunks. */
  done(row: Row, thread: Thread, recorded: number | null): void {
    const state = this.#state;
    const { percpu } = thread;
    if (percpu === null) {
      state.damaged(row, 'per-cpu chunks without their request');
      return;
    }
    const taken = thread.base ?? this.#take(percpu);
    const { offsets, sizes, align } = percpu;
    const [first = 0] = offsets;
    let base = taken === NOTHING_FITS ? null : taken;
    const found = base === null ? null : base + first;
    const what = (): string => `per-cpu chunks, ${offsets.length} ranges aligned to ${align}`;
    state.compare(state.counts.percpu, row, thread, { what, recorded, found });
    if (recorded !== found) {
      const { vend } = state.trace.windows[0] as { vend: number };
      const differing = { row: state.row, recorded, source: { start: found ?? NOTHING_FITS, pool: -1 } };
      base = state.healing.chunks(differing, percpu, vend);
    }
    for (const [i, offset] of offsets.entries()) {
      const place = { start: (base ?? 0) + offset, size: sizes[i] as number, node: -1, row: state.row };
      const area = base === null ? null : place;
      if (recorded !== null) state.live.add(recorded - first + offset, area);
      else if (area !== null) state.surplus.push(area);
    }
    thread.percpu = null;
    thread.base = null;
  }

  /** True for rows of probes, which Linux starts after the first chunks, and for what shows or frees such a chunk. */
  #isAfter(event: Event): boolean {
    if (event.type === 'free') return this.#early.some(({ start }) => start === event.start);
    return event.type !== 'allocation' && event.type !== 'purge done';
  }

  #take({ offsets, sizes, align }: Asked): number {
    const { vstart, vend } = this.#state.trace.windows[0] as { vstart: number; vend: number };
    return takePercpu(this.#state.free, { offsets, sizes, align, vstart, vend });
  }
}
