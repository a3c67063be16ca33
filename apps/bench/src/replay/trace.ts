import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/*
 * A recorded stream of what a kernel's vmap-area allocator did, from its first allocation on. Head lines say page size, processors and
 * windows; each row has a sequence number, processor, thread, event and fields.
 */

/** Nodes that Linux makes at most, however many processors there are (vmap_init_nodes). */
export const MOST_NODES = 128;

/** A request of alloc_vmap_area, as it ended. */
export interface Allocation {
  readonly type: 'allocation';
  /** Recorded first page; `null` when the request failed. */
  readonly start: number | null;
  /** Pages, guard included. */
  readonly size: number;
  readonly align: number;
  /** Number of the window. */
  readonly window: number;
}

/** What a row says. */
export type Event =
  | Allocation
  /** free_vmap_area_noflush: pages that wait, the freed ones included, and how many may; `null` where that is not told. */
  | {
      readonly type: 'free';
      readonly start: number;
      readonly lazyPages: number;
      readonly lazyMaxPages: number | null;
    }
  | { readonly type: 'purge entered'; readonly isFull: boolean }
  | { readonly type: 'decay'; readonly node: number; readonly isFull: boolean }
  | { readonly type: 'node purged'; readonly node: number }
  /** Areas that waited, and what was flushed, in pages: at least their hull. `start` is above `end` when nothing was. */
  | { readonly type: 'purge done'; readonly areas: number; readonly start: number; readonly end: number }
  | {
      readonly type: 'percpu entered';
      readonly align: number;
      readonly offsets: readonly number[];
      readonly sizes: readonly number[];
    }
  /** Recorded first page of the first range; `null` when nothing fitted. */
  | { readonly type: 'percpu done'; readonly start: number | null }
  /** Inside a critical section: what a thread does next, it does here. */
  | { readonly type: 'lock'; readonly lock: 'heap' | 'pool' | 'lazy'; readonly node: number }
  /** A request that found nothing, before it purges and tries again. */
  | { readonly type: 'exhausted' }
  | { readonly type: 'photograph'; readonly name: string }
  /** Entered: drain work, aliases, shrinker. */
  | { readonly type: 'note' };

export interface Row {
  readonly cpu: number;
  readonly thread: string;
  readonly event: Event;
  /** Line of the file. */
  readonly line: number;
}

export interface Trace {
  readonly name: string;
  /** `ftrace`: the kernel's own events, which lack per-cpu chunks and what was there before they were switched on. */
  readonly source: 'stream' | 'ftrace';
  /** The folder with photographs and end states; `null` for a file alone. */
  readonly folder: string | null;
  readonly pageShift: number;
  /** Nodes: possible processors, 128 at most. */
  readonly nodes: number;
  readonly cpus: number;
  /** Windows of requests in pages: the first is that of vmalloc. The end has half a page more where it is no multiple of a page. */
  readonly windows: readonly { readonly vstart: number; readonly vend: number }[];
  readonly rows: readonly Row[];
  /** Whether rows tell the order of critical sections. */
  readonly hasLocks: boolean;
  /** Events that the recorder lost, lines of others that were passed over, and lines of events that are cut off or make no sense. */
  readonly lostEvents: number;
  readonly otherLines: number;
  readonly damagedLines: number;
}

/** A file of a trace's folder, unpacked; `null` when it is not there. */
export function traceFile({ folder }: Trace, name: string): string | null {
  if (folder === null || !readdirSync(folder).includes(name)) return null;
  return gunzipSync(readFileSync(join(folder, name))).toString('latin1');
}

/** A page number from bytes; half a page more for what is no multiple of a page. */
export function pageOf(bytes: bigint, pageShift: number): number {
  const page = Number(bytes >> BigInt(pageShift));
  return BigInt.asUintN(pageShift, bytes) === 0n ? page : page + 0.5;
}
