import { type FreeSpace, type Lock, NOTHING_FITS, takePercpu, VmapAreas, type VmapNodes } from '@vmarea/core';
import { type Difference, type FreeRange, rangesAround } from './differences.js';
import type { EarlyArea } from './early-areas.js';
import { Evidence } from './evidence.js';
import { Healing } from './healing.js';
import { type LiveArea, LiveAreas } from './live-areas.js';
import { finish, PurgeRun } from './purge-run.js';
import { type Source, Sources, type Wanted } from './sources.js';
import { count, type Tally } from './tally.js';
import type { Allocation, Damage, Event, Row, Trace } from './trace.js';

interface Thread {
  /** The part of a purge that it executes. */
  steps: Generator<Lock> | null;
  /** What its request found under a lock, until its row comes; `null` before that. */
  found: Source | null;
  /** Free ranges around the recorded address, before its request was served; `null` when not read. */
  around: readonly FreeRange[] | null;
  /** The node of its request; -1 while unknown. */
  node: number;
  /** The node of its request that failed last; -1 for none. */
  failed: number;
  /** The node of its request that is tried again after a purge, and looks at no pool; -1 for none. */
  retried: number;
  /** True when its freed area is already in a lazy list. */
  isFreed: boolean;
  percpu: Extract<Event, { type: 'percpu entered' }> | null;
  base: number | null;
  /** The number of its last row. */
  since: number;
}

/** What a replay knows besides the rows. */
export interface Known {
  /** Areas from before the first row, by address. */
  readonly early: readonly EarlyArea[];
  /** Chunks of per-cpu memory from before the recorder's probes, by address. */
  readonly earlyChunks?: readonly EarlyArea[];
  /** First pages of the areas at the end; `null` when unknown. */
  readonly end?: ReadonlySet<number> | null;
}

/**
 * Repeats every decision of a recorded stream. Requests and their order come from the recording, answers from vmarea.
 *
 * A recorded address is only the name of an area. Rows of one processor are in their true order. With several processors, a thread acts
 * where a row says that it holds a lock; before the first such row, in the order of rows.
 */
export class Replayer {
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
  /** Lines of placements that only the other choice explains, where the recording does not tell which was made. */
  readonly ambiguous: number[] = [];
  /** Ambiguous placements that are also unordered. */
  ambiguousUnordered = 0;
  /** Ordered placements with an alignment above a page. Their addresses depend on all free ranges. */
  readonly aligned: Tally = { equal: 0, different: 0 };
  /** Rows that cannot be. */
  readonly damage: Damage[] = [];
  /** Placements without a lock row since a second processor acted. They are in the order of rows. */
  unordered = 0;
  /** Placements that came from a pool. */
  fromPools = 0;
  readonly #trace: Trace;
  readonly #live: LiveAreas;
  readonly #sources: Sources;
  readonly #healing: Healing;
  readonly #lazyMaxPages: number;
  readonly #threads = new Map<string, Thread>();
  /** Chunks from before the probes that are not taken yet, by address. */
  readonly #earlyChunks: EarlyArea[];
  #purge: PurgeRun | null = null;
  #hasLocks = false;
  #isAlone = true;
  #row = 0;
  /** Pages that wait in the recording and not here, since a counted difference. */
  #lazyOff = 0;

  constructor(trace: Trace, { early, earlyChunks = [], end = null }: Known) {
    this.#trace = trace;
    const { nodes, cpus, pageShift } = trace;
    const window = { start: 0n, end: 1n << 64n };
    this.#lazyMaxPages = new VmapAreas({ window, pageShift, cpus: nodes, onlineCpus: cpus }).lazyMaxPages;
    this.#live = new LiveAreas(2 ** (64 - trace.pageShift), nodes, early);
    this.#sources = new Sources(this.#live);
    this.#healing = new Healing(
      this.#live,
      this.#sources,
      new Evidence(
        trace,
        [...early, ...earlyChunks].map(({ start }) => start),
        end,
      ),
    );
    this.#earlyChunks = [...earlyChunks];
  }

  /** The free tree. */
  get free(): FreeSpace {
    return this.#live.free;
  }

  /** Pools and lazy lists. */
  get nodes(): VmapNodes {
    return this.#live.nodes;
  }

  /** Live areas by recorded first page; `null` for one that failed here. */
  get areas(): ReadonlyMap<number, LiveArea | null> {
    return this.#live.areas;
  }

  /** @param snapshot - is called at each snapshot with its name. */
  run(snapshot: (name: string) => void): void {
    const { rows } = this.#trace;
    const targets = targetsOf(rows);
    for (const [i, row] of rows.entries()) {
      const { event } = row;
      this.#row = i;
      if (row.cpu !== rows[0]?.cpu) this.#isAlone = false;
      if (this.#earlyChunks.length > 0 && this.#isAfterChunks(event)) this.#takeEarlyChunks();
      if (event.type === 'lock') this.#locked(row, event, targets[i] ?? null);
      else if (event.type === 'snapshot') snapshot(event.name);
      else this.#event(row, event);
      this.#thread(row.thread).since = i;
    }
    this.#takeEarlyChunks();
  }

  #thread(name: string): Thread {
    const known = this.#threads.get(name);
    if (known !== undefined) return known;
    const made = {
      ...{ steps: null, found: null, around: null, node: -1, failed: -1, retried: -1, isFreed: false },
      ...{ percpu: null, base: null, since: -1 },
    };
    this.#threads.set(name, made);
    return made;
  }

  /** True for rows of probes, which Linux starts after the first chunks, and for what shows or frees such a chunk. */
  #isAfterChunks(event: Event): boolean {
    if (event.type === 'free') return this.#earlyChunks.some(({ start }) => start === event.start);
    return event.type !== 'allocation' && event.type !== 'purge done';
  }

  /** Takes the chunks from before the probes, from the highest address down, as Linux does. */
  #takeEarlyChunks(): void {
    for (let chunk = this.#earlyChunks.pop(); chunk !== undefined; chunk = this.#earlyChunks.pop()) {
      const { start, size } = chunk;
      this.#live.add(start, this.#live.take(start, size) ? { start, size, node: -1 } : null);
    }
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
      finishSteps(thread);
      purge.collect(event.node);
      return;
    }
    if (thread.percpu !== null) {
      thread.base ??= this.#takePercpu(thread.percpu);
      return;
    }
    if (target?.type === 'free' && event.lock === 'lazy') {
      this.#lazyFree(row, target.start);
      thread.isFreed = true;
    }
    if (target?.type !== 'allocation' || thread.found !== null) return;
    const { size, align } = target;
    if (event.lock === 'pool') {
      thread.node = event.node;
      const pooled = this.nodes.take(event.node, size, align);
      if (pooled >= 0) thread.found = { start: pooled, pool: event.node };
    } else if (event.lock === 'heap') {
      if (thread.node < 0) thread.node = thread.retried >= 0 ? thread.retried : row.cpu;
      const { vstart, vend } = this.#wanted(target);
      this.#readAround(thread, target.start);
      thread.found = { start: this.free.take(size, align, vstart, vend), pool: -1 };
    }
  }

  #event(row: Row, event: Event): void {
    const thread = this.#thread(row.thread);
    switch (event.type) {
      case 'allocation':
        this.#allocated(row, event, thread);
        return;
      case 'free':
        this.#freed(row, event, thread);
        return;
      case 'exhausted':
        thread.found = null;
        thread.around = null;
        thread.retried = thread.failed;
        return;
      case 'purge entered':
        if (this.#purge !== null) this.#damaged(row, 'a purge begins while another one runs');
        this.#purge = new PurgeRun(this.nodes, row.thread, event.isFull);
        return;
      case 'decay':
        this.#begin(thread, this.nodes.decay(event.node, event.isFull));
        // The shrinker decays, too, and takes no list.
        if (!this.#hasLocks && this.#purge?.thread === row.thread) this.#purge.collect(event.node);
        return;
      case 'node purged':
        if (this.#purge === null) return;
        if (!this.#purge.isFull) this.#sources.fill(event.node, this.#row);
        this.#begin(thread, this.#purge.giveBack(event.node));
        return;
      case 'purge done':
        this.#purgeDone(row, thread, event);
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
    const wanted = this.#wanted(event);
    const isOrdered = thread.found !== null || this.#isAlone || event.start === null;
    if (!isOrdered) this.unordered++;
    let isKnown = thread.found !== null;
    if (thread.found === null) {
      const { retried } = thread;
      isKnown = retried >= 0;
      thread.node = (isKnown ? retried : row.cpu) % this.nodes.count;
      this.#readAround(thread, event.start);
      thread.found = this.#sources.take(
        thread.node,
        { ...wanted, isUsual: wanted.isUsual && !isKnown },
        thread.since,
      );
    }
    const source = thread.found;
    const node = wanted.isUsual && this.nodes.count > 1 ? thread.node % this.nodes.count : -1;
    const recorded = event.start;
    const found = source.start < 0 ? null : source.start;
    const other =
      isKnown || recorded === null || recorded === found
        ? null
        : this.#sources.otherwise(recorded, source, wanted, {
            node: thread.node,
            since: thread.since,
            isOrdered,
          });
    thread.found = null;
    thread.node = -1;
    thread.retried = -1;
    thread.failed = recorded === null ? node : -1;
    if (other !== null) {
      this.ambiguous.push(row.line);
      if (!isOrdered) this.ambiguousUnordered++;
      if (other.pool >= 0) this.fromPools++;
      this.#live.add(other.start, {
        start: other.start,
        size: event.size,
        node: other.pool >= 0 ? other.pool : node,
      });
      thread.around = null;
      return;
    }
    if (source.pool >= 0) this.fromPools++;
    const tally = recorded === null ? this.failures : this.placements;
    const what = (): string => `${event.size} pages aligned to ${event.align} in window ${event.window}`;
    this.#compare(tally, row, thread, { what, recorded, found });
    if (event.align > 1 && isOrdered && recorded !== null) count(this.aligned, recorded === found);
    if (recorded === found) {
      if (found !== null) this.#live.add(found, { start: found, size: event.size, node });
      return;
    }
    const area = this.#healing.placed({ row: this.#row, recorded, source }, wanted, node);
    if (recorded !== null) this.#live.add(recorded, area);
    else if (area !== null) this.#live.add(area.start, area);
    else if (found !== null) this.surplus.push({ start: found, size: event.size, node });
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
      const around = thread.around ?? rangesAround(this.free, recorded);
      this.first = { line, what: answer.what(), recorded, found, around };
    }
    thread.around = null;
  }

  #readAround(thread: Thread, recorded: number | null): void {
    if (this.first === null) thread.around = rangesAround(this.free, recorded);
  }

  #wanted({ size, align, window }: Allocation): Wanted {
    const { vstart, vend } = this.#trace.windows[window] ?? { vstart: 0, vend: 0 };
    return { size, align, vstart, vend, isUsual: window === 0 };
  }

  #freed(row: Row, event: Extract<Event, { type: 'free' }>, thread: Thread): void {
    const isKnown = thread.isFreed || this.#lazyFree(row, event.start);
    thread.isFreed = false;
    // Several processors count at the same time, so the number does not belong to this row.
    if (isKnown && this.#trace.cpus === 1 && event.lazyPages !== null) {
      const off = event.lazyPages - this.nodes.lazyPages;
      count(this.lazyPages, off === this.#lazyOff);
      this.#lazyOff = off;
    }
    if (event.lazyMaxPages !== null) count(this.lazyMaxPages, this.#lazyMaxPages === event.lazyMaxPages);
  }

  #lazyFree(row: Row, recorded: number): boolean {
    const isKnown = this.#live.lazyFree(recorded);
    if (!isKnown) this.#damaged(row, 'a free of an address that no row gave');
    return isKnown;
  }

  #damaged({ line }: Row, what: string): void {
    this.damage.push({ line, what });
  }

  /** Begins a part of a purge, up to its first lock. */
  #begin(thread: Thread, steps: Generator<Lock>): void {
    finishSteps(thread);
    thread.steps = steps;
    if (!this.#hasLocks) finishSteps(thread);
    else if (steps.next().done === true) thread.steps = null;
  }

  #purgeDone(row: Row, thread: Thread, recorded: Extract<Event, { type: 'purge done' }>): void {
    // Early in the boot, no row marks the start of a purge.
    const purge = this.#purge ?? new PurgeRun(this.nodes, row.thread, false);
    const isWhole = this.#purge === null || !this.#hasLocks;
    this.#purge = null;
    finishSteps(thread);
    const { areas, hull } = purge.end(isWhole);
    this.#lazyOff = 0;
    if (recorded.areas !== null) count(this.purges, areas === recorded.areas);
    // The stream lacks what blocks of vm_map_ram add to a flush.
    if (hull !== null) count(this.flushes, recorded.start <= hull.start && recorded.end >= hull.end);
  }

  #takePercpu({ offsets, sizes, align }: Extract<Event, { type: 'percpu entered' }>): number {
    const { vstart, vend } = this.#trace.windows[0] as { vstart: number; vend: number };
    return takePercpu(this.free, { offsets, sizes, align, vstart, vend });
  }

  #percpuDone(row: Row, thread: Thread, recorded: number | null): void {
    const { percpu } = thread;
    if (percpu === null) {
      this.#damaged(row, 'per-cpu chunks without their request');
      return;
    }
    const taken = thread.base ?? this.#takePercpu(percpu);
    const { offsets, sizes, align } = percpu;
    const [first = 0] = offsets;
    let base = taken === NOTHING_FITS ? null : taken;
    const found = base === null ? null : base + first;
    const what = (): string => `per-cpu chunks, ${offsets.length} ranges aligned to ${align}`;
    this.#compare(this.percpu, row, thread, { what, recorded, found });
    if (recorded !== found) {
      const { vend } = this.#trace.windows[0] as { vend: number };
      const differing = { row: this.#row, recorded, source: { start: found ?? NOTHING_FITS, pool: -1 } };
      base = this.#healing.chunks(differing, percpu, vend);
    }
    for (const [i, offset] of offsets.entries()) {
      const area = base === null ? null : { start: base + offset, size: sizes[i] as number, node: -1 };
      if (recorded !== null) this.#live.add(recorded - first + offset, area);
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

function finishSteps(thread: Thread): void {
  if (thread.steps !== null) finish(thread.steps);
  thread.steps = null;
}
