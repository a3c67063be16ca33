import {
  FreeSpace,
  type Hull,
  type Lock,
  NOTHING_FITS,
  takePercpu,
  VmapAreas,
  VmapNodes,
  type Waiting,
} from '@vmarea/core';
import type { Allocation, Event, Row, Trace } from './trace.js';

/** An area that is live: what the replay has at the place of a recorded one. */
export interface LiveArea {
  readonly start: number;
  readonly size: number;
  /** Node in its flags; -1 for none. */
  readonly node: number;
}

/** Things that were compared. */
export interface Tally {
  equal: number;
  different: number;
}

/** An answer that differs. */
export interface Difference {
  readonly line: number;
  /** What was asked. */
  readonly what: string;
  readonly recorded: number | null;
  readonly found: number | null;
  /** Free ranges around the recorded place: before the request, where the free tree served it. */
  readonly around: readonly { readonly start: number; readonly end: number }[];
}

interface Thread {
  /** The part of a purge that it is in. */
  steps: Generator<Lock> | null;
  /** What its request found under a lock, while the row that tells it has not come; `null` when there is nothing yet. */
  found: number | null;
  /** Free ranges around the recorded place of its request, before it was served; `null` when they were not looked at. */
  around: Difference['around'] | null;
  /** Node that the request belongs to; -1 while that is not known. */
  node: number;
  /** Its freed area is in a lazy list already. */
  isFreed: boolean;
  percpu: Extract<Event, { type: 'percpu entered' }> | null;
  base: number | null;
}

/** What a purge did. */
interface Purged {
  readonly areas: number;
  readonly hull: Hull | null;
}

interface Purge {
  readonly thread: string;
  readonly isFull: boolean;
  readonly lists: Map<number, Waiting[]>;
  /** Areas and their hull, where it was made at once. */
  done: Purged | null;
}

/**
 * Makes every decision of a recorded stream once more: the requests and the order are the recording's, the answers are ours.
 *
 * A recorded address is used as an area's name alone. With one processor rows are in true order. With several, what a thread does
 * happens where the recording says that it was inside a critical section; before the first such row, in the order of rows.
 */
export class Replayer {
  readonly free: FreeSpace;
  readonly nodes: VmapNodes;
  /** Live areas by recorded first page; `null` for one that found no place here. */
  readonly areas = new Map<number, LiveArea | null>();
  /** Areas that are here though the recorded request failed: nothing frees them. */
  readonly surplus: LiveArea[] = [];
  readonly placements: Tally = { equal: 0, different: 0 };
  readonly failures: Tally = { equal: 0, different: 0 };
  readonly percpu: Tally = { equal: 0, different: 0 };
  readonly lazyPages: Tally = { equal: 0, different: 0 };
  /** How many pages may wait. */
  readonly lazyMaxPages: Tally = { equal: 0, different: 0 };
  readonly purges: Tally = { equal: 0, different: 0 };
  /** Whether what a purge flushed holds all that waited. */
  readonly flushes: Tally = { equal: 0, different: 0 };
  /** The first answer that differs: of a request or of per-cpu chunks. */
  first: Difference | null = null;
  /** Areas that were freed and never seen before: the stream begins in the middle, or has gaps. */
  unknownAreas = 0;
  /** Placements without a lock row of their own, since a second processor was seen: they were made in the order of rows. */
  unordered = 0;
  /** Placements that came from a pool. */
  fromPools = 0;
  readonly #trace: Trace;
  readonly #lazyMaxPages: number;
  readonly #threads = new Map<string, Thread>();
  #purge: Purge | null = null;
  #hasLocks = false;
  #isAlone = true;

  /** @param early - areas that the recording has no rows for, by address. */
  constructor(trace: Trace, early: readonly { readonly start: number; readonly size: number }[]) {
    this.#trace = trace;
    const { nodes, cpus, pageShift } = trace;
    const window = { start: 0n, end: 1n << 64n };
    this.#lazyMaxPages = new VmapAreas({ window, pageShift, cpus: nodes, onlineCpus: cpus }).lazyMaxPages;
    this.free = new FreeSpace(2 ** (64 - trace.pageShift), early);
    this.nodes = new VmapNodes(this.free, trace.nodes);
    for (const { start, size } of early) this.areas.set(start, { start, size, node: -1 });
  }

  /** @param photograph - called at each photograph with its name. */
  run(photograph: (name: string) => void): void {
    const { rows } = this.#trace;
    const targets = targetsOf(rows);
    for (const [i, row] of rows.entries()) {
      const { event } = row;
      if (row.cpu !== rows[0]?.cpu) this.#isAlone = false;
      if (event.type === 'lock') this.#locked(row, event, targets[i] ?? null);
      else if (event.type === 'photograph') photograph(event.name);
      else this.#event(row, event);
    }
  }

  #thread(name: string): Thread {
    const known = this.#threads.get(name);
    if (known !== undefined) return known;
    const made = {
      ...{ steps: null, found: null, around: null, node: -1, isFreed: false, percpu: null, base: null },
    };
    this.#threads.set(name, made);
    return made;
  }

  /** A thread is inside a critical section: it does now what its next row tells. */
  #locked(row: Row, event: Extract<Event, { type: 'lock' }>, target: Event | null): void {
    this.#hasLocks = true;
    const thread = this.#thread(row.thread);
    const purge = this.#purge;
    if (thread.steps !== null && event.lock !== 'lazy') {
      if (thread.steps.next().done === true) thread.steps = null;
      return;
    }
    if (event.lock === 'lazy' && purge !== null && purge.thread === row.thread) {
      finish(thread);
      purge.lists.set(event.node, this.nodes.collect(event.node));
      return;
    }
    if (thread.percpu !== null) {
      thread.base ??= this.#takePercpu(thread.percpu);
      return;
    }
    if (target?.type === 'free' && event.lock === 'lazy') {
      this.#lazyFree(target.start);
      thread.isFreed = true;
    }
    if (target?.type !== 'allocation' || thread.found !== null) return;
    const { size, align } = target;
    if (event.lock === 'pool') {
      thread.node = event.node;
      const pooled = this.nodes.take(event.node, size, align);
      if (pooled < 0) return;
      thread.found = pooled;
      this.fromPools++;
    } else if (event.lock === 'heap') {
      if (thread.node < 0) thread.node = row.cpu;
      thread.found = this.#takeFromHeap(thread, target);
    }
  }

  #event(row: Row, event: Event): void {
    const thread = this.#thread(row.thread);
    switch (event.type) {
      case 'allocation':
        this.#allocated(row, event, thread);
        return;
      case 'free':
        // Processors count up and down at once: with several the number is not that of the row's place.
        if (!thread.isFreed) this.#lazyFree(event.start);
        thread.isFreed = false;
        if (this.#trace.cpus === 1) count(this.lazyPages, this.nodes.lazyPages === event.lazyPages);
        if (event.lazyMaxPages !== null) count(this.lazyMaxPages, this.#lazyMaxPages === event.lazyMaxPages);
        return;
      case 'exhausted':
        thread.found = null;
        thread.around = null;
        thread.node = -1;
        return;
      case 'purge entered':
        this.#purge = { thread: row.thread, isFull: event.isFull, lists: new Map(), done: null };
        if (!this.#hasLocks) this.#purge.done = this.#purgeAtOnce(event.isFull);
        return;
      case 'decay':
        if (this.#purge === null || this.#purge.done === null)
          this.#begin(thread, this.nodes.decay(event.node, event.isFull));
        return;
      case 'node purged': {
        const purge = this.#purge;
        if (purge === null || purge.done !== null) return;
        const list = purge.lists.get(event.node) ?? [];
        this.#begin(thread, this.nodes.giveBack(event.node, list, purge.isFull));
        return;
      }
      case 'purge done':
        this.#purgeDone(thread, event);
        return;
      case 'percpu entered':
        thread.percpu = event;
        thread.base = null;
        return;
      case 'percpu done':
        this.#percpuDone(row, thread, event.start);
        return;
      default:
    }
  }

  #allocated(row: Row, event: Allocation, thread: Thread): void {
    const isUsual = event.window === 0;
    if (thread.found === null) {
      if (!this.#isAlone && event.start !== null) this.unordered++;
      thread.node = row.cpu;
      const pooled = isUsual ? this.nodes.take(row.cpu % this.nodes.count, event.size, event.align) : -1;
      thread.found = pooled >= 0 ? pooled : this.#takeFromHeap(thread, event);
    }
    const { found } = thread;
    const start = found < 0 ? null : found;
    const tally = event.start === null ? this.failures : this.placements;
    const what = (): string => `${event.size} pages aligned to ${event.align} in window ${event.window}`;
    this.#compare(tally, row, thread, { what, recorded: event.start, found: start });
    const node = isUsual && this.nodes.count > 1 ? thread.node % this.nodes.count : -1;
    const area = start === null ? null : { start, size: event.size, node };
    if (event.start !== null) this.areas.set(event.start, area);
    else if (area !== null) this.surplus.push(area);
    thread.found = null;
    thread.node = -1;
  }

  /** Counts an answer; the first that differs is kept, whatever gave it. */
  #compare(
    tally: Tally,
    { line }: Row,
    thread: Thread,
    answer: { what: () => string; recorded: number | null; found: number | null },
  ): void {
    const { recorded, found } = answer;
    count(tally, found === recorded);
    if (found !== recorded && this.first === null) {
      const around = thread.around ?? this.#around(recorded);
      this.first = { line, what: answer.what(), recorded, found, around };
    }
    thread.around = null;
  }

  #takeFromHeap(thread: Thread, request: Allocation): number {
    const { vstart, vend } = this.#trace.windows[request.window] ?? { vstart: 0, vend: 0 };
    if (this.first === null) thread.around = this.#around(request.start);
    return this.free.take(request.size, request.align, vstart, vend);
  }

  /** Free ranges at a recorded place: looked at for the report alone. */
  #around(page: number | null): { start: number; end: number }[] {
    if (page === null) return [];
    const { tree } = this.free;
    const ranges = [];
    let node = this.free.enclosing(page);
    for (let i = 0; i < 2; i++) if (tree.previous(node) !== 0) node = tree.previous(node);
    for (let i = 0; i < 5 && node !== 0; i++, node = tree.next(node))
      ranges.push({ start: tree.start[node] as number, end: tree.end[node] as number });
    return ranges;
  }

  #lazyFree(recorded: number): void {
    const area = this.areas.get(recorded);
    if (area === undefined) {
      this.unknownAreas++;
      return;
    }
    this.areas.delete(recorded);
    if (area !== null) this.nodes.add(area);
  }

  /** A thread begins a part of a purge: up to where it waits for a lock. */
  #begin(thread: Thread, steps: Generator<Lock>): void {
    finish(thread);
    thread.steps = steps;
    if (!this.#hasLocks) finish(thread);
    else if (steps.next().done === true) thread.steps = null;
  }

  #purgeAtOnce(isFull: boolean): Purged {
    let hull: Hull | null = null;
    const areas = this.nodes.purge(isFull, (all) => {
      hull = all;
    });
    return { areas, hull };
  }

  #purgeDone(thread: Thread, recorded: Extract<Event, { type: 'purge done' }>): void {
    const purge = this.#purge;
    this.#purge = null;
    finish(thread);
    // Early in the boot nothing tells that a purge begins.
    const { areas, hull } = purge === null ? this.#purgeAtOnce(false) : (purge.done ?? purgedOf(purge));
    count(this.purges, areas === recorded.areas);
    // What blocks of vm_map_ram add to a flush is not in the stream.
    if (hull !== null) count(this.flushes, recorded.start <= hull.start && recorded.end >= hull.end);
  }

  #takePercpu({ offsets, sizes, align }: Extract<Event, { type: 'percpu entered' }>): number | null {
    const { vstart, vend } = this.#trace.windows[0] as { vstart: number; vend: number };
    const base = takePercpu(this.free, { offsets, sizes, align, vstart, vend });
    return base === NOTHING_FITS ? null : base;
  }

  #percpuDone(row: Row, thread: Thread, recorded: number | null): void {
    const { percpu } = thread;
    if (percpu === null) return;
    const base = thread.base ?? this.#takePercpu(percpu);
    const { offsets, sizes, align } = percpu;
    const [first = 0] = offsets;
    const what = (): string => `per-cpu chunks, ${offsets.length} ranges aligned to ${align}`;
    this.#compare(this.percpu, row, thread, { what, recorded, found: base === null ? null : base + first });
    for (const [i, offset] of offsets.entries()) {
      const area = base === null ? null : { start: base + offset, size: sizes[i] as number, node: -1 };
      if (recorded !== null) this.areas.set(recorded - first + offset, area);
      else if (area !== null) this.surplus.push(area);
    }
    thread.percpu = null;
    thread.base = null;
  }
}

/** What each lock row is about: its thread's next allocation or free, before a purge of its own. */
function targetsOf(rows: readonly Row[]): (Event | null)[] {
  const next = new Map<string, Event>();
  const targets: (Event | null)[] = new Array(rows.length).fill(null);
  for (let i = rows.length - 1; i >= 0; i--) {
    const { thread, event } = rows[i] as Row;
    if (event.type === 'lock') targets[i] = next.get(thread) ?? null;
    else if (event.type === 'allocation' || event.type === 'free') next.set(thread, event);
    else if (event.type === 'exhausted') next.delete(thread);
  }
  return targets;
}

/** What a purge in steps did. */
function purgedOf({ lists }: Purge): Purged {
  const all = [...lists.values()].flat();
  if (all.length === 0) return { areas: 0, hull: null };
  return {
    areas: all.length,
    hull: {
      start: all.reduce((least, { start }) => Math.min(least, start), Number.POSITIVE_INFINITY),
      end: all.reduce((most, { start, size }) => Math.max(most, start + size), 0),
    },
  };
}

function finish(thread: Thread): void {
  while (thread.steps?.next().done === false);
  thread.steps = null;
}

function count(tally: Tally, isEqual: boolean): void {
  if (isEqual) tally.equal++;
  else tally.different++;
}
