import { VmError } from '../../errors.js';
import { loopsOf } from '../../memory/bank.js';
import type { FrameAllocator } from '../../memory/frames/frame-allocator.js';
import type { PostedFlush } from '../../threads/flush-ring.js';
import type { ThreadGroup } from '../../threads/thread-group.js';
import type { SinglePageCalls } from '../change/map/single-page.js';
import type { ChangeSet } from '../change/set/change-set.js';
import type { SharedCalls } from '../change/shared-calls.js';
import type { TableContext } from '../state/context.js';
import { linkWords } from '../state/entries.js';
import { flush, tell } from '../state/flush.js';
import { freeTables, isOwnAndEmpty } from '../state/tables.js';
import { Journal } from './journal.js';
import { type RecoveredTables, recoverTables } from './recover-tables.js';
import { type Caller, type Installed, NEEDS_ALONE, SharedChangeSet } from './shared-change-set.js';
import { SharedSinglePages } from './shared-single-pages.js';
import { SharedUndoLog } from './shared-undo-log.js';
import { WordPool } from './word-pool.js';

/** A failed call's tables that may be empty. */
interface Left {
  readonly context: TableContext;
  readonly installed: readonly Installed[];
}

/** How calls of one thread run on the page tables that it shares with the threads of its group. */
export class TableThreads implements SharedCalls, Caller {
  readonly #group: ThreadGroup;
  readonly journal: Journal;
  readonly #pool = new WordPool();
  readonly #contexts: Set<TableContext> = new Set();
  #left: Left[] = [];

  constructor(group: ThreadGroup) {
    this.#group = group;
    this.journal = new Journal(group.journalOf(group.slot));
    group.onQuiesce(() => {
      // What was read of tables may be stale.
      for (const context of this.#contexts) context.generation++;
    });
    group.onFlush({
      flush: (posted) => this.#deliver(posted),
      forgetAll: () => {
        for (const context of this.#contexts)
          flush(context, 0, context.plan.pages, context.plan.pageShift, [], false);
      },
    });
  }

  get isAlone(): boolean {
    return this.#group.sections.isExclusive;
  }

  get changes(): number {
    return this.#group.sections.count;
  }

  /** The page tables of this thread. */
  get contexts(): readonly TableContext[] {
    return [...this.#contexts];
  }

  attach(context: TableContext): void {
    this.#contexts.add(context);
  }

  /** Forgets a page table of this thread: another one has destroyed the root. */
  drop(context: TableContext): void {
    context.isDestroyed = true;
    this.#contexts.delete(context);
  }

  run<R>(context: TableContext, isAlone: boolean, call: () => R): R {
    const { sections } = this.#group;
    if (sections.isExclusive) return this.#finish(context, call);
    // A sink or callback of another call of this thread.
    if (sections.isInside) return this.#nested(isAlone, call);
    if (!isAlone) {
      sections.enter();
      try {
        return call();
      } catch (error) {
        if (error !== NEEDS_ALONE) throw error;
      } finally {
        this.end();
      }
    }
    return sections.exclusive(() => this.#finish(context, call));
  }

  changeSet(context: TableContext): ChangeSet {
    // One call of a thread has the journal and the pool. What it takes of the pool, it notes in the journal.
    const isNested = this.journal.isOpen;
    if (!isNested) this.#pool.reset();
    const journal = isNested ? null : this.journal;
    const log = new SharedUndoLog(context, journal, isNested ? new WordPool() : this.#pool);
    return new SharedChangeSet(context, log, this);
  }

  begin(): boolean {
    const { sections } = this.#group;
    if (sections.isInside) return false;
    sections.enter();
    return true;
  }

  end(): void {
    this.#group.sections.leave();
    this.#tidy();
  }

  singlePages(context: TableContext): SinglePageCalls {
    return new SharedSinglePages(context, this);
  }

  hold({ records }: TableContext, pfns: readonly number[], order: number): void {
    for (const pfn of pfns) records?.hold(pfn, this.#group.slot, order);
  }

  retire(context: TableContext, pfns: readonly number[], order: number): void {
    const { frames, records } = context;
    this.hold(context, pfns, order);
    let give: (() => void) | null = null;
    this.#group.quiescence.retire(() => {
      // The allocator knows that they are about to be free before the records forget them: one of the two tells a recovery.
      give ??= frames === null ? () => {} : freeing(frames, pfns, order);
      for (const pfn of pfns) records?.leave(pfn);
      give();
    });
  }

  /**
   * Mends the page tables of this thread after others died; see `recoverTables`. Call it within
   * `sections.recovering`.
   */
  recover(deadSlots: readonly number[]): RecoveredTables {
    return recoverTables(this.contexts, this.#group, deadSlots);
  }

  requireAlone(): void {
    this.#group.requireAlone('the page table');
  }

  post(
    context: TableContext,
    page: number,
    pages: number,
    leafShift: number,
    tables: readonly number[],
  ): void {
    this.#group.post({ root: context.root.pfn, page, pages, leafShift, asid: context.asid, tables });
  }

  leave(context: TableContext, installed: readonly Installed[]): void {
    this.#left.push({ context, installed });
  }

  #nested<R>(isAlone: boolean, call: () => R): R {
    try {
      if (!isAlone) return call();
    } catch (error) {
      if (error !== NEEDS_ALONE) throw error;
    }
    throw new VmError('EBUSY', 'this call must run alone, and this thread is in the middle of another', {
      advice: 'a flush sink or callback must not split, join or free tables',
    });
  }

  #finish<R>(context: TableContext, call: () => R): R {
    try {
      return call();
    } finally {
      this.#takeOut();
      if (context.isDestroyed) this.#contexts.delete(context);
    }
  }

  /** Takes out tables that a failed call has linked and nobody uses. Else they stay, as empty tables do. */
  #tidy(): void {
    if (this.#left.length === 0) return;
    try {
      this.#group.sections.exclusive(() => this.#takeOut());
    } catch {
      // Another thread is in the way, or died: the call's own error is the one to report.
      this.#left = [];
    }
  }

  #takeOut(): void {
    for (const { context, installed } of this.#left.splice(0)) takeOutEmpty(context, installed);
  }

  #deliver(posted: PostedFlush): void {
    const { root, page, pages, leafShift, tables, asid } = posted;
    for (const context of this.#contexts) {
      if (context.isDestroyed || context.root.pfn !== root) continue;
      context.generation++;
      context.counters.flushes++;
      tell(context, page, pages, leafShift, tables, asid);
    }
  }
}

/** Begins to free blocks, except those that somebody else has freed. Returns what ends it. */
function freeing(frames: FrameAllocator, pfns: readonly number[], order: number): () => void {
  const { calls } = frames;
  const held = pfns.filter((pfn) => frames.isAllocated(pfn, order) && calls?.isBeingFreed(pfn) !== true);
  if (calls !== null) return calls.retire(held, held.length, order);
  return () => {
    for (const pfn of held) frames.free(pfn, order);
  };
}

/** Takes the empty ones among some tables out of the tree, from the bottom up. */
function takeOutEmpty(context: TableContext, installed: readonly Installed[]): void {
  const { counters, link, records, plan } = context;
  const gone: number[] = [];
  let from = Number.POSITIVE_INFINITY;
  let to = -1;
  for (let i = installed.length - 1; i >= 0; i--) {
    const { pfn, level, parent, at, parentRecord, page } = installed[i] as Installed;
    const { lo, hi } = linkWords(link, pfn);
    if (!isOwnAndEmpty(context, pfn, level, page)) continue;
    if (!loopsOf(parent).cas64(at, lo, hi, 0, 0)) continue;
    records?.add(parentRecord, -1);
    counters.entriesWritten++;
    gone.push(pfn);
    from = Math.min(from, page);
    to = Math.max(to, page + 1);
  }
  if (gone.length === 0) return;
  try {
    flush(context, from, to - from, plan.pageShift, gone);
  } catch {
    // A sink must not throw (see FlushSink).
  }
  freeTables(context, gone);
}
