import { type FlushScope, pagesOfScope } from './flush-scope.js';
import type { MissCause, StaleRun } from './stale-run.js';

/** Which entries of a run a flush reaches, as half-open ranges; or why it reaches none. */
export type Coverage = readonly (readonly [from: number, to: number])[] | MissCause | 'apart';

/**
 * Which entries of a run a flush makes a processor forget.
 *
 * - A leaf goes when the flush visits an address of it, and then goes whole: also where a processor caches it
 *   in pieces (SDM vol. 3A, 4.10.2.3 and 4.10.4). Leaves of a run with a contiguous hint may be cached one by
 *   one, so each must be visited.
 * - A global leaf goes with any address space that is named, if global ones go at all.
 * - The entry of a walk cache goes when the flush names its table, or the table that it stands in; or when
 *   the architecture's instruction says so.
 */
export function coverage(run: StaleRun, scope: FlushScope): Coverage {
  const { kind, count, page, root } = run.parts;
  const [first, end] = pagesOfScope(scope, root.format.pageShift);
  if (kind === 'table' && isNamed(run, scope)) return [[0, count]];
  if (kind === 'table' && scope.tables === 'all') return asidOf(run, scope) ?? [[0, count]];
  if (run.end <= first || page >= end) return 'apart';
  const isOther = asidOf(run, scope);
  if (isOther !== null) return isOther;
  if (kind === 'table') return scope.tables === 'none' ? 'tables-not-named' : [[0, count]];
  const visited = visits(run, first, end, strideOf(run, scope));
  return visited.length === 0 ? 'stride' : visited;
}

/** True when a flush names the table of an entry, or the table that the entry stands in. */
function isNamed({ frames, parts }: StaleRun, { named }: FlushScope): boolean {
  return named !== null && (named.has(frames[0]) || named.has(parts.table));
}

function asidOf(run: StaleRun, { asid, globals }: FlushScope): MissCause | null {
  if (run.isGlobal) return globals ? null : 'keeps-global';
  return asid === null || asid === run.parts.root.asid ? null : 'wrong-asid';
}

function strideOf({ parts }: StaleRun, { stride }: FlushScope): number {
  return 2 ** Math.max(0, stride - parts.root.format.pageShift);
}

/** The entries with an address first, first + stride, … below end. */
function visits({ parts }: StaleRun, first: number, end: number, stride: number): [number, number][] {
  const { page, count } = parts;
  const { pages } = parts.reader;
  const from = Math.max(0, Math.floor((first - page) / pages));
  const to = Math.min(count, Math.ceil((end - page) / pages));
  const isVisited = (entry: number): boolean => {
    const start = page + entry * pages;
    const next = start <= first ? first : first + Math.ceil((start - first) / stride) * stride;
    return next < Math.min(start + pages, end);
  };
  // Between its ends, a stride no longer than an entry visits every one.
  if (stride <= pages) {
    const [low, high] = [isVisited(from) ? from : from + 1, isVisited(to - 1) ? to : to - 1];
    return low < high ? [[low, high]] : [];
  }
  const ranges: [number, number][] = [];
  for (let entry = from; entry < to; entry++) {
    if (!isVisited(entry)) continue;
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === entry) last[1] = entry + 1;
    else ranges.push([entry, entry + 1]);
  }
  return ranges;
}
