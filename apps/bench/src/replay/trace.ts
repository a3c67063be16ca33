import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { UsageError } from '@vmarea/cli';
import type { Allocation } from '@vmarea/compare';
import { printable } from '@vmarea/core';
import { whyUnreadable } from '../input/unreadable.js';

/*
 * A recorded stream of a kernel's vmap-area allocator, from its first allocation on. Head lines have the page size, processors and
 * windows. Each row has a sequence number, processor, thread, event and fields.
 */

/** Linux's maximum number of nodes (vmap_init_nodes). */
export const MOST_NODES = 128;

/** An event of a row. */
export type Event =
  | Allocation
  /** free_vmap_area_noflush: waiting pages, with the freed ones, and their limit; `null` where it is not recorded. */
  | {
      readonly type: 'free';
      readonly start: number;
      readonly lazyPages: number | null;
      readonly lazyMaxPages: number | null;
    }
  | { readonly type: 'purge entered'; readonly isFull: boolean }
  | { readonly type: 'decay'; readonly node: number; readonly isFull: boolean }
  | { readonly type: 'node purged'; readonly node: number }
  /** Areas that waited (`null` where not recorded), and the flushed pages: at least their hull. `start` is above `end` when nothing was flushed. */
  | {
      readonly type: 'purge done';
      readonly areas: number | null;
      readonly start: number;
      readonly end: number;
    }
  | {
      readonly type: 'percpu entered';
      readonly align: number;
      readonly offsets: readonly number[];
      readonly sizes: readonly number[];
    }
  /** The recorded first page of the first range; `null` when nothing fitted. */
  | { readonly type: 'percpu done'; readonly start: number | null }
  /** A thread holds a lock: it does here what its next row says. */
  | { readonly type: 'lock'; readonly lock: 'heap' | 'pool' | 'lazy'; readonly node: number }
  /** A request found no range. It will purge and try again. */
  | { readonly type: 'exhausted' }
  | { readonly type: 'snapshot'; readonly name: string }
  /** The kernel entered drain work, vm_unmap_aliases or the shrinker. */
  | { readonly type: 'note' };

/** A part of a recording that is damaged: a row that cannot be, or a file that cannot be read. */
export interface Damage {
  /** The line in the stream; `null` for another file. */
  readonly line: number | null;
  readonly what: string;
}

export interface Row {
  readonly cpu: number;
  readonly thread: string;
  readonly event: Event;
  /** The line in the file. */
  readonly line: number;
}

export interface Trace {
  readonly name: string;
  /** `ftrace`: the kernel's own events. They lack per-cpu chunks, and areas from before the recording. */
  readonly source: 'stream' | 'ftrace';
  /** The folder with snapshots and end states; `null` for a single file. */
  readonly folder: string | null;
  readonly pageShift: number;
  /** Nodes: one for each possible processor, 128 at most. */
  readonly nodes: number;
  readonly cpus: number;
  /** Windows of requests, in pages; vmalloc's is the first. An end that is not a multiple of a page has half a page more. */
  readonly windows: readonly { readonly vstart: number; readonly vend: number }[];
  readonly rows: readonly Row[];
  /** True when rows tell the order of locks. */
  readonly hasLocks: boolean;
  /** Events that the recorder lost, lines of other tracers, and lines that are cut off or make no sense. */
  readonly lostEvents: number;
  readonly otherLines: number;
  readonly damagedLines: number;
  /** What its reader passed over. Default: nothing. */
  readonly damage?: readonly Damage[];
  /** True when the stream ends before its end: then the state at the end is not that of its last row. Default: false. */
  readonly isCut?: boolean;
}

/** The kernel's events. Other rows are steps of these, or come from the recorder. */
const KERNELS: readonly Event['type'][] = ['allocation', 'free', 'purge done', 'percpu done'];

/** The number of requests, frees, purges and per-cpu chunks. */
export function eventsOf({ rows }: Pick<Trace, 'rows'>): number {
  return rows.filter(({ event }) => KERNELS.includes(event.type)).length;
}

/** A file of a trace's folder is damaged. */
export class DamagedFile extends UsageError {}

/**
 * Reads and unpacks a file of a trace's folder; `null` when it is missing.
 *
 * @throws DamagedFile when it cannot be unpacked.
 */
export function traceFile({ folder }: Trace, name: string): string | null {
  if (folder === null || !readdirSync(folder).includes(name)) return null;
  const path = join(folder, name);
  try {
    return gunzipSync(readFileSync(path)).toString('latin1');
  } catch (error) {
    throw new DamagedFile(`cannot read ${printable(name)}: ${printable(whyUnreadable(error, path))}`);
  }
}

/** A page number from bytes. An address that is not a multiple of a page gets half a page more. */
export function pageOf(bytes: bigint, pageShift: number): number {
  const page = Number(bytes >> BigInt(pageShift));
  return BigInt.asUintN(pageShift, bytes) === 0n ? page : page + 0.5;
}
