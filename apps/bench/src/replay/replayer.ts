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

/** A live area of the replay, for a recorded one. */
export interface LiveArea {
  readonly start: number;
  readonly size: number;
  /** The node in its flags; -1 for none. */
  readonly node: number;
}

/** The number of equal and different answers. */
export interface Tally {
  equal: number;
  different: number;
}

/** An answer that differs. */
export interface Difference {
  readonly line: number;
  /** The request. */
  readonly what: string;
  readonly recorded: number | null;
  readonly found: number | null;
  /** Free ranges around the recorded address, before the request if the free tree served it. */
  readonly around: readonly { readonly start: number; readonly end: number }[];
}

interface Thread {
  /** The part of a purge that it executes. */
  steps: Generator<Lock> | null;
  /** What its request found under a lock, until its row comes; `null` before that. */
  found: number | null;
  /** Free ranges around the recorded address, before its request was served; `null` when not read. */
  around: Difference['around'] | null;
  /** The node of its request; -1 while unknown. */
  node: number;
  /** True when its freed area is already in a lazy list. */
  isFreed: boolean;
  percpu: Extract<Event, { type: 'percpu entered' }> | null;
  base: number | null;
}

/** The result of a purge. */
interface Purged {
  readonly areas: number;
  readonly hull: Hull | null;
}

interface Purge {
  readonly thread: string;
  readonly isFull: boolean;
  readonly lists: Map<number, Waiting[]>;
  /** The result, if the whole purge ran at once. */
  done: Purged | null;
}

/**
 * Repeats every decision of a recorded stream. Requests and their order come from the recording, answers from vmarea.
 *
 * A recorded address is only the name of an area. Rows of one processor are in their true order. With several processors, a thread acts
 * where a row says that it holds a lock; before the first such row, in the order of rows.
 */
export class Replayer {
  readonly free: FreeSpace;
  readonly nodes: VmapNodes;
  /** Live areas by recorded first page; `null` for one that failed here. */
  readonly areas = new Map<number, LiveArea | null>();
  /** Areas whose recorded request failed. Nothing frees them. */
  readonly surplus: LiveArea[] = [];
  readonly placements: Tally = { equal: 0, different: 0 };
  readonly failures: Tally = { equal: 0, different: 0 };
  readonly percpu: Tally = { equal: 0, different: 0 };
  readonly lazyPages: Tally = { equal: 0, different: 0 };
  /** The limit of waiting pages. */
  readonly lazyMaxPages: Tally = { equal: 0, different: 0 };
  readonly purges: Tally = { equal: 0, different: 0 };
  /** True for purges whose flush covers all that waited. */
  readonly flushes: Tally = { equal: 0, different: 0 };
  /** The first answer to a request or for per-cpu chunks that differs. */
  first: Difference | null = null;
  /** Areas that were freed without a request: the stream begins in the middle, or has gaps. */
  unknownAreas = 0;
  /** Placements without a lock row since a second processor acted. They are in the order of rows. */
  unordered = 0;
  /** Placements that came from a pool. */
  fromPools = 0;
  readonly #trace: Trace;
  readonly #lazyMaxPages: number;
  readonly #threads = new Map<string, Thread>();
  #purge: Purge | null = null;
  #hasLocks = false;
  #isAlone = true;

  /** @param early - areas without rows, by address. */
  constructor(trace: Trace, early: readonly { readonly start: number; readonly size: number }[]) {
    this.#trace = trace;
    const { nodes, cpus, pageShift } = trace;
    const window = { start: 0n, end: 1n << 64n };
    this.#lazyMaxPages = new VmapAreas({ window, pageShift, cpus: nodes, onlineCpus: cpus }).lazyMaxPages;
    this.free = new FreeSpace(2 ** (64 - trace.pageShift), early);
    this.nodes = new VmapNodes(this.free, trace.nodes);
    for (const { start, size } of early) this.areas.set(start, { start, size, node: -1 });
  }

  /** @param snapshot - is called at each snapshot with its name. */
  run(snapshot: (name: string) => void): void {
    const { rows } = this.#trace;
    const targets = targetsOf(rows);
    for (const [i, row] of rows.entries()) {
      const { event } = row;
      if (row.cpu !== rows[0]?.cpu) this.#isAlone = false;
      if (event.type === 'lock') this.#locked(row, event, targets[i] ?? null);
      else if (event.type === 'snapshot') snapshot(event.name);
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

  /** A thread holds a lock: it does now what its next row says. */
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
        // Several processors count at the same time, so the number does not belong to this row.
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

  /** Counts an answer, and keeps the first that differs. */
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

  /** Free ranges around a recorded address, for the report. */
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

  /** Begins a part of a purge, up to its first lock. */
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
    // Early in the boot, no row marks the start of a purge.
    const { areas, hull } = purge === null ? this.#purgeAtOnce(false) : (purge.done ?? purgedOf(purge));
    count(this.purges, areas === recorded.areas);
    // The stream lacks what blocks of vm_map_ram add to a flush.
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

/** The target of each lock row: its thread's next allocation or free before it purges. */
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

/** The result of a purge in steps. */
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
