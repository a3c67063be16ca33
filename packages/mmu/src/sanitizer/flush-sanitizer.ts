import { type FlushSink, VmError } from '@vmarea/core';
import type { ProcessorObserver } from '../processor-observer.js';
import { factsOf } from './explain.js';
import { judgeFrames } from './frame-rules.js';
import { lookAtFrame, lookAtTables, lookAtWholeRuns } from './look.js';
import { observeFrames } from './observe-frames.js';
import { observeWrites } from './observe-writes.js';
import { OneProcessor } from './one-processor.js';
import { checkedOptions, type FlushSanitizerOptions } from './options.js';
import type { SanitizerReport } from './report.js';
import { ReportList } from './report-list.js';
import { endRoot, sanitizerSink } from './sanitizer-sink.js';
import { StaleSet } from './stale-set.js';
import type { State } from './state.js';
import { TableRules } from './table-rules.js';
import { type RootToWatch, WatchedRoot } from './watched-root.js';
import { type StaleWindow, windowOf } from './windows.js';

/**
 * Finds flushes that are missing, late, too small or for somebody else: what KASAN is for memory, for TLBs and
 * walk caches.
 *
 * Put it between tables and processors: `sink` is the flush sink of page tables and address spaces, `processor`
 * observes an `Mmu` or another model of a processor, and the frame allocators tell it what is freed and handed
 * out. It judges by what *may* be cached: any processor may have any translation and any entry on the way to it
 * that was valid at some moment since its last flush that covers it. A TLB that happens to hold nothing hides no
 * bug.
 *
 * At each event it compares the tables with a copy, which takes microseconds for a table, so it sees every write,
 * whoever made it. An entry that is written twice between two events is seen as one change. Each of these is an
 * event: a call of a table begins; a flush that is requested, left for later or done; a fill; a store of a processor; frames that move;
 * `write32` and `write64` of the memory. Call `checkpoint` where a program writes entries in other ways.
 *
 * @example
 * ```ts
 * const sanitizer = new FlushSanitizer({ memory, frames: [frames] });
 * const table = new PageTable({ format, memory, frames, sink: sanitizer.sink() });
 * sanitizer.watch({ table });
 * memory.write64(entryAddress, 0n);  // unmaps, without a flush
 * frames.free(page);
 * console.log(`${sanitizer.reports[0]}`); // error frame-freed at event 4: frame 0x9 was freed, and processor 0 may still …
 * ```
 */
export class FlushSanitizer {
  readonly #state: State;
  readonly #registered: number;
  readonly #observers: readonly ProcessorObserver[];
  readonly #stop: () => void;

  /**
   * @throws VmError `EINVAL` for an invalid option; `EFAULT` when a root has no bytes.
   */
  constructor(options: FlushSanitizerOptions) {
    const { memory, roots, processors, frames, onReport, throws, most } = checkedOptions(options);
    this.#registered = processors;
    this.#state = {
      ...{
        memory,
        roots: [],
        stale: new StaleSet(),
        event: 0,
        isBehind: false,
        isBlind: false,
        inFlightUses: 0,
      },
      processors: Array.from({ length: Math.max(1, processors) }, (_, i) => i),
      reports: new ReportList(most, throws, onReport),
    };
    this.#observers = this.#state.processors.map((i) => new OneProcessor(this.#state, i));
    for (const root of roots) this.watch(root);
    const stops = frames.map((one) =>
      observeFrames(one, (pfns, order, isFreed) => this.#frames(pfns, order, one.pageShift, isFreed)),
    );
    stops.push(observeWrites(memory, (pa) => this.#written(pa)));
    this.#stop = () => {
      for (const stop of stops) stop();
    };
  }

  /** All reports so far, the oldest first; each finding once, with a count. The list is live. */
  get reports(): readonly SanitizerReport[] {
    return this.#state.reports.all;
  }

  /** Those of class `error`. */
  get errors(): readonly SanitizerReport[] {
    return this.#state.reports.all.filter((report) => report.class === 'error');
  }

  /** Findings that were dropped because `most` reports were kept. */
  get dropped(): number {
    return this.#state.reports.dropped;
  }

  /** Number of the last event. Reports name moments by it. */
  get events(): number {
    return this.#state.event;
  }

  /**
   * Uses of old translations while their flush was requested and not done, or left to a batch. Each shootdown on
   * several processors has such a moment, so they are counted and not reported, unless a frame was freed.
   */
  get inFlightUses(): number {
    return this.#state.inFlightUses;
  }

  /** Watches a root from now on. Its entries of this moment count as valid, and nothing older as cached. */
  watch(root: RootToWatch): void {
    const state = this.#state;
    state.event++;
    const watched = new WatchedRoot(state.memory, root, (one) => new TableRules(state, one));
    for (const run of state.stale.runs) {
      const { root: old, page } = run.parts;
      if (run.isGlobal || old.asid !== watched.asid || old.pa === watched.pa) continue;
      // arm64 has two roots in one address space, for two halves of the addresses.
      if (!watched.holds(old.address(page))) continue;
      state.reports.add(factsOf(run, { code: 'asid-reused', at: state.event, isError: true }));
    }
    state.roots.push(watched);
    state.reports.raise();
  }

  /**
   * Watches a root no longer: no processor uses it from now on, but what it translated may still be cached.
   * A flush that names the root table, as `destroy` makes, does this by itself.
   *
   * @param root - physical address of the root table, in bytes.
   * @throws VmError `EINVAL` when it is not watched.
   */
  unwatch(root: bigint): void {
    const state = this.#state;
    const found = state.roots.filter(({ pa }) => pa === root);
    if (found.length === 0) throw new VmError('EINVAL', 'this root is not watched', { address: root });
    state.event++;
    lookAtTables(state);
    for (const one of found) endRoot(state, one);
    state.reports.raise();
  }

  /**
   * A flush sink for page tables and address spaces.
   *
   * @param target - the sink behind it, such as that of an `Mmu`; it gets every call. Default: none.
   * @throws VmError `EINVAL` for a target without `flush`.
   */
  sink(target?: FlushSink): FlushSink {
    if (target !== undefined && typeof target?.flush !== 'function')
      throw new VmError('EINVAL', 'the target of sink() has no function flush');
    return sanitizerSink(this.#state, target, this.#registered === 0 ? this.processor(0) : null);
  }

  /**
   * Who is told what a processor does: the option `observer` of an `Mmu`, or what a model of a processor calls.
   *
   * @param index - 0 to the number of processors - 1. Without registered processors 0 stands for all.
   * @throws VmError `EINVAL` for one that does not exist.
   */
  processor(index: number): ProcessorObserver {
    const found = this.#observers[index];
    if (found !== undefined) return found;
    throw new VmError('EINVAL', `processor is ${index}: expected 0 to ${this.#observers.length - 1}`);
  }

  /**
   * Tells of frames of an allocator that is not a `FrameAllocator`, at the moment they go back to it.
   *
   * @param pfns - in base pages of the watched formats.
   */
  framesFreed(pfns: ArrayLike<number>): void {
    this.#frames(pfns, 0, null, true);
    this.#state.reports.raise();
  }

  /** Tells of frames that such an allocator hands out. */
  framesHandedOut(pfns: ArrayLike<number>): void {
    this.#frames(pfns, 0, null, false);
    this.#state.reports.raise();
  }

  /** Looks at the tables now: at the end of a program's step, or between two writes of one entry. */
  checkpoint(): void {
    this.#state.event++;
    lookAtWholeRuns(this.#state);
    this.#state.reports.raise();
  }

  /**
   * Reports as `unflushed` every change whose flush is not done by now. What waits for a purge is of class `lazy`.
   * A new mapping is none, also where `cachesNotPresent` says that a processor may miss it.
   */
  settle(): void {
    const state = this.#state;
    state.event++;
    lookAtWholeRuns(state);
    for (const run of state.stale.runs) {
      const { kind, count: entries } = run.parts;
      if (kind !== 'none') state.reports.add(factsOf(run, { code: 'unflushed', at: state.event, entries }));
    }
    state.reports.raise();
  }

  /** What some processor may have cached now and the tables do not say, by address. */
  windows(): StaleWindow[] {
    lookAtTables(this.#state);
    const windows = this.#state.stale.runs.map(windowOf);
    return windows.sort((a, b) => (a.va < b.va ? -1 : a.va > b.va ? 1 : a.asid - b.asid));
  }

  /**
   * Runs a call that no processor sees, such as `restoreSnapshot` or code that runs before the MMU is on. Then the
   * tables are taken as they are, and all processors as empty.
   *
   * @returns what the call returns.
   */
  unwatched<T>(call: () => T): T {
    const state = this.#state;
    const wasBlind = state.isBlind;
    state.isBlind = true;
    try {
      return call();
    } finally {
      state.isBlind = wasBlind;
      this.#restart();
    }
  }

  /** Forgets all reports. */
  clear(): void {
    this.#state.reports.clear();
  }

  /** Lets go of the allocators and of all roots. */
  end(): void {
    this.#stop();
    this.#state.roots.length = 0;
    this.#state.stale.clear();
  }

  /** What it watches, and how many reports there are. */
  toString(): string {
    const { roots, processors, event, reports, stale } = this.#state;
    const errors = this.errors.length;
    return [
      `FlushSanitizer of ${roots.length} roots and ${processors.length} processors, ${event} events`,
      `  ${errors} errors, ${reports.all.length - errors} lazy, ${stale.runs.length} changes wait for a flush`,
    ].join('\n');
  }

  /** Looks right before and right after something is written, which may be an entry. */
  #written(pa: bigint): () => void {
    const state = this.#state;
    if (this.#state.isBlind) return () => {};
    state.event++;
    // The table may be one that was linked since the last look.
    lookAtTables(state);
    return () => {
      state.event++;
      lookAtFrame(state, pa);
    };
  }

  #frames(pfns: ArrayLike<number>, order: number, pageShift: number | null, isFreed: boolean): void {
    if (this.#state.isBlind) return;
    const state = this.#state;
    state.event++;
    lookAtTables(state);
    judgeFrames(state, { pfns, order, pageShift, isFreed });
    // It may become a table.
    if (!isFreed) state.isBehind = true;
  }

  #restart(): void {
    const state = this.#state;
    state.event++;
    state.stale.clear();
    for (const [i, root] of state.roots.entries())
      state.roots[i] = root.again((one) => new TableRules(state, one));
  }
}
