import type { Trace } from '../../src/replay/trace.js';

/** The first page of x86-64's vmalloc window. */
const FIRST = 0xffffc90000000;

type Row = Trace['rows'][number];
type Event = Row['event'];

/** A stream of events in a window like x86-64's. */
export function streamOf(
  rows: readonly (readonly [thread: string, event: Event, cpu?: number])[],
  cpus: number,
  nodes: number,
): Trace {
  return {
    ...{ name: 'short', source: 'stream', folder: null, pageShift: 12, nodes, cpus },
    hasLocks: rows.some(([, { type }]) => type === 'lock'),
    windows: [{ vstart: FIRST, vend: 0xffffe8fffffff + 0.5 }],
    ...{ lostEvents: 0, otherLines: 0, damagedLines: 0 },
    rows: rows.map(([thread, event, cpu = 0], i) => ({ cpu, thread, line: i + 1, event })),
  };
}

/** A request for pages, and the page from the window's start that it got. */
export function taken(page: number, size = 2, align = 1): Event {
  return { type: 'allocation', start: FIRST + page, size, align, window: 0 };
}

/** A free. Its number of waiting pages is not recorded. */
export function freed(page: number): Event {
  return { type: 'free', start: FIRST + page, lazyPages: null, lazyMaxPages: null };
}

export const entered: Event = { type: 'purge entered', isFull: false };
export const decayed = (node: number): Event => ({ type: 'decay', node, isFull: false });
export const purged = (node: number): Event => ({ type: 'node purged', node });
/** The end of a purge that flushed everything. */
export const done = (areas: number): Event => ({
  type: 'purge done',
  areas,
  start: FIRST,
  end: FIRST + 2 ** 20,
});
export const note: Event = { type: 'note' };
