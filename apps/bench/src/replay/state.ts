import { type FreeSpace, type Lock, VmapAreas, type VmapNodes } from '@vmarea/core';
import { Counts } from './counts.js';
import { type FreeRange, rangesAround } from './differences.js';
import { Evidence } from './evidence.js';
import { Healing } from './healing.js';
import { type Ledger, ledgerOf } from './ledger.js';
import { type LiveArea, LiveAreas } from './live-areas.js';
import { Losses } from './losses.js';
import { LostRequests } from './lost-requests.js';
import type { Place } from './places.js';
import { finish, type PurgeRun } from './purge-run.js';
import { type Source, Sources } from './sources.js';
import { count, type Tally } from './tally.js';
import type { Event, Row, Trace } from './trace.js';

/** What a thread of the kernel is doing. */
export interface Thread {
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

/** An answer: recorded and ours. */
export interface Answer {
  readonly what: () => string;
  readonly recorded: number | null;
  readonly found: number | null;
}

/** What exists before the first row and after the last one, in pages. */
export interface Ends {
  readonly early: readonly Place[];
  readonly chunks: readonly Place[];
  /** Pages, by first page; `null` when unknown. */
  readonly end: ReadonlyMap<number, number> | null;
}

/** The state of a replay, which its parts share. */
export class State {
  readonly trace: Trace;
  readonly live: LiveAreas;
  readonly sources: Sources;
  readonly ledger: Ledger;
  readonly lost: LostRequests;
  readonly losses: Losses;
  readonly healing: Healing;
  readonly counts: Counts = new Counts();
  /** Areas whose recorded request failed. Nothing frees them. */
  readonly surplus: LiveArea[] = [];
  /** The limit of waiting pages. */
  readonly lazyMaxPages: number;
  readonly #threads = new Map<string, Thread>();
  purge: PurgeRun | null = null;
  /** True since a row told of a lock. */
  hasLocks = false;
  /** True until a second processor acts. */
  isAlone = true;
  /** The number of the row. */
  row = 0;
  /** Pages that wait in the recording and not here, since a counted difference. */
  lazyOff = 0;
  /** The names of areas whose request has a wrong size that is not put right yet. */
  readonly wrongSizes = new Set<number>();
  /** False since something lost was put right at another time than in the kernel: the tree may have another shape then. */
  isShapeKnown = true;

  constructor(trace: Trace, { early, chunks, end }: Ends) {
    this.trace = trace;
    const { nodes, cpus, pageShift } = trace;
    const window = { start: 0n, end: 1n << 64n };
    this.lazyMaxPages = new VmapAreas({ window, pageShift, cpus: nodes, onlineCpus: cpus }).lazyMaxPages;
    this.ledger = ledgerOf(trace, { early: [...early, ...chunks], end });
    this.lost = new LostRequests([...this.ledger.lost.values(), ...this.ledger.lostAtEnd]);
    this.live = new LiveAreas(2 ** (64 - pageShift), nodes, early);
    this.losses = new Losses(this.ledger, this.live);
    this.sources = new Sources(this.live);
    this.healing = new Healing(this.live, this.sources, new Evidence(trace, this.lost, end));
  }

  get free(): FreeSpace {
    return this.live.free;
  }

  get nodes(): VmapNodes {
    return this.live.nodes;
  }

  thread(name: string): Thread {
    const known = this.#threads.get(name);
    if (known !== undefined) return known;
    const made = {
      ...{ steps: null, found: null, around: null, node: -1, failed: -1, retried: -1, isFreed: false },
      ...{ percpu: null, base: null, since: -1 },
    };
    this.#threads.set(name, made);
    return made;
  }

  /** Counts an answer, and keeps the first that differs. */
  compare(tally: Tally, { line }: Row, thread: Thread, answer: Answer): void {
    const { recorded, found } = answer;
    count(tally, found === recorded);
    if (found !== recorded && this.counts.first === null) {
      const around = thread.around ?? rangesAround(this.free, recorded);
      this.counts.first = { line, what: answer.what(), recorded, found, around };
    }
    thread.around = null;
  }

  readAround(thread: Thread, recorded: number | null): void {
    if (this.counts.first === null) thread.around = rangesAround(this.free, recorded);
  }

  damaged({ line }: Row, what: string): void {
    this.counts.damage.push({ line, what });
  }

  /** A row shows that the row of a free is lost. */
  lostFree(row: Row, { start, row: request }: { readonly start: number; readonly row: number }): void {
    const line = this.trace.rows[request]?.line;
    this.damaged(row, `the row of a free before this is lost: of ${this.#address(start)}, from line ${line}`);
  }

  /** Gives live areas their right sizes, after a difference has been counted. Returns the names of those that change, and what they were. */
  resizeAll(): (readonly [number, LiveArea])[] {
    const changed: (readonly [number, LiveArea])[] = [];
    for (const name of this.wrongSizes) {
      const area = this.live.areas.get(name);
      const right = this.ledger.sizes.get(area?.row ?? -1);
      if (area === null || area === undefined || right === undefined || area.size === right) continue;
      if (this.live.resize(name, right)) changed.push([name, area]);
    }
    this.wrongSizes.clear();
    // The kernel's ranges have been longer or shorter all the time.
    if (changed.length > 0) this.isShapeKnown = false;
    return changed;
  }

  /** After the last row: areas that live at the end, and that no row gave. */
  lostAtEnd(): void {
    for (const { start, size } of this.ledger.lostAtEnd) {
      if (!this.live.isLost(start)) {
        if (size === null || !this.live.take(start, size)) continue;
        this.live.addLost({ start, size, node: -1 });
      }
      const what = `the row of a request is lost: of ${this.#address(start)}, which is there at the end`;
      this.counts.damage.push({ line: null, what });
    }
  }

  #address(page: number): string {
    return `0x${(BigInt(page) << BigInt(this.trace.pageShift)).toString(16)}`;
  }
}

/** Does the rest of a part of a purge. */
export function finishSteps(thread: Thread): void {
  if (thread.steps !== null) finish(thread.steps);
  thread.steps = null;
}
