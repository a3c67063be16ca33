/** What the rows measure, in their order. */
export const MEASURES = [
  ['zero', 'fill a page with zeros, and nothing else'],
  ['alloc', 'allocPages(null, 1), into tables that exist'],
  ['alloc-256', 'allocPages(null, 256)'],
  ['alloc-1024', 'allocPages(null, 1024)'],
  ['fault', "handleFault of a user's access to a page that does not exist yet, in random order"],
  ['fault-mapped', 'handleFault at a page that exists, in random order'],
  ['free', 'freePages(address, 1), in random order'],
  ['free-mapped', 'the same, of a page that a process maps'],
  ['free-256', 'freePages(address, 256)'],
  ['free-1024', 'freePages(address, 1024)'],
  ['load', 'loadSigned32 of a view, from 2 MiB'],
  ['store', 'store32 of a view, to 2 MiB'],
] as const;

/** The name of a row. */
export type Measure = (typeof MEASURES)[number][0];

/** Measures that zero each page. */
export const ZEROING: ReadonlySet<Measure> = new Set(['alloc', 'alloc-256', 'alloc-1024', 'fault']);

/** Pages of a call, where they are not 1. */
export const PAGES_PER_CALL: Readonly<Partial<Record<Measure, number>>> = {
  'alloc-256': 256,
  'alloc-1024': 1024,
  'free-256': 256,
  'free-1024': 1024,
};

/** Gets the nanoseconds of all units of a measure in one round. */
export type Note = (measure: Measure, ns: number) => void;
