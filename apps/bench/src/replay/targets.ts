import type { Event, Row } from './trace.js';

/** What a thread does where it holds a lock. */
export interface Target {
  readonly event: Event;
  /** The number of its row. */
  readonly row: number;
}

/** What a thread does next, and the locks for it that were found so far, from its row back. */
interface Next extends Target {
  isHeapSeen: boolean;
  /** True when all its locks are found: others before them belong to a request or free whose row is lost. */
  isDone: boolean;
}

/**
 * The target of each lock row: its thread's next allocation or free before it purges. `null` when the row of that is lost, and a note for
 * a thread that only reads: it holds the lazy lists of all nodes, one after the other.
 *
 * A request holds the lock of its pool, then perhaps that of the heap, each once. A free holds that of its lazy list once.
 */
export function targetsOf(rows: readonly Row[]): (Target | null)[] {
  const next = new Map<string, Next>();
  const targets: (Target | null)[] = new Array(rows.length).fill(null);
  for (let row = rows.length - 1; row >= 0; row--) {
    const { thread, event } = rows[row] as Row;
    if (event.type === 'lock') targets[row] = targetOf(next.get(thread), event.lock);
    else if (event.type === 'allocation' || event.type === 'free' || event.type === 'purge done')
      next.set(thread, { event, row, isHeapSeen: false, isDone: false });
    else if (event.type === 'exhausted' || event.type === 'purge entered') next.delete(thread);
  }
  markReaders(rows, targets);
  return targets;
}

const READS: Target = { event: { type: 'note' }, row: -1 };

/** Tells the lists that /proc/vmallocinfo or a snapshot reads from those to which something was freed. */
function markReaders(rows: readonly Row[], targets: (Target | null)[]): void {
  const last = new Map<string, { readonly row: number; readonly node: number }>();
  for (const [row, { thread, event }] of rows.entries()) {
    if (event.type !== 'lock') last.delete(thread);
    else if (event.lock === 'lazy' && targets[row] === null) {
      const before = last.get(thread);
      last.set(thread, { row, node: event.node });
      if (before?.node !== event.node - 1) continue;
      targets[before.row] = READS;
      targets[row] = READS;
    }
  }
}

function targetOf(next: Next | undefined, lock: 'heap' | 'pool' | 'lazy'): Target | null {
  if (next?.event.type === 'purge done') return next;
  if (next === undefined || next.isDone) return null;
  if ((next.event.type === 'free') !== (lock === 'lazy')) return null;
  if (lock === 'heap' && next.isHeapSeen) {
    next.isDone = true;
    return null;
  }
  next.isHeapSeen = true;
  next.isDone = lock !== 'heap';
  return next;
}
