import { printable } from '@vmarea/core';
import { UsageError } from '../errors.js';
import { type Event, MOST_NODES, pageOf, type Row, type Trace } from './trace.js';

/*
 * The text of /sys/kernel/tracing/trace with vmalloc events (`echo 1 > events/vmalloc/enable`). It may contain lines of other tracers,
 * and may lack lost events.
 *
 * Source: Linux 6.12, include/trace/events/vmalloc.h (TP_printk of each event).
 */

const LINE =
  /^ *(.+)-(\d+) .*?\[(\d+)\].*?: (alloc_vmap_area|free_vmap_area_noflush|purge_vmap_area_lazy): (.*)$/;
const LOST = /LOST (?:(\d+) )?EVENTS/;
const PAGE_SHIFTS = [16, 14, 12];
/** The smallest page. Every address and size is a multiple of it. */
const LEAST_PAGE = 4096n;
/** The maximum processors of Linux (NR_CPUS of x86 with MAXSMP). */
const MOST_CPUS = 8192;

/** An event with the fields of its line, in bytes. */
interface Parsed {
  readonly cpu: number;
  readonly thread: string;
  readonly line: number;
  readonly name: string;
  readonly fields: ReadonlyMap<string, bigint>;
}

/**
 * Reads ftrace text.
 *
 * @throws UsageError when it has no vmalloc event.
 */
export function parseFtrace(text: string, file: string, name: string): Trace {
  const events: Parsed[] = [];
  let otherLines = 0;
  let damagedLines = 0;
  let lostEvents = 0;
  for (const [i, line] of text.split('\n').entries()) {
    const lost = LOST.exec(line);
    const [, , thread, cpu, event, rest] = LINE.exec(line) ?? [];
    if (lost !== null) {
      // Without a number, at least one is lost.
      lostEvents += Number(lost[1] ?? 1);
    } else if (event === undefined || rest === undefined)
      otherLines += line === '' || line.startsWith('#') ? 0 : 1;
    else {
      const parsed = {
        ...{ cpu: Number(cpu), thread: thread as string, line: i + 1, name: event },
        fields: fieldsOf(rest),
      };
      // A buffer that is read during writing ends within a line.
      if (isWhole(parsed)) events.push(parsed);
      else damagedLines++;
    }
  }
  if (events.length === 0)
    throw new UsageError(
      `${printable(file)} is neither a recorded stream nor ftrace text with vmalloc events (alloc_vmap_area, …)`,
    );
  const pageShift = pageShiftOf(events);
  const windows = new Map<string, number>();
  const page = (event: Parsed, field: string): number => pageOf(event.fields.get(field) ?? 0n, pageShift);
  const usual = usualWindow(events);
  windows.set(usual, 0);
  const list = [usual];
  const rows = events.map((event): Row => {
    const { cpu, thread, line } = event;
    if (event.name === 'alloc_vmap_area' && !windows.has(windowOf(event))) {
      windows.set(windowOf(event), list.length);
      list.push(windowOf(event));
    }
    return { cpu, thread, line, event: eventOf(event, page, windows.get(windowOf(event)) ?? 0) };
  });
  const cpus = 1 + rows.reduce((most, { cpu }) => Math.max(most, cpu), 0);
  return {
    ...{
      source: 'ftrace',
      name,
      folder: null,
      pageShift,
      cpus,
      nodes: Math.min(cpus, MOST_NODES),
      rows,
      hasLocks: false,
      lostEvents,
      otherLines,
      damagedLines,
    },
    windows: list.map((window) => {
      const [vstart = 0n, vend = 0n] = window.split(' ').map(BigInt);
      return { vstart: pageOf(vstart, pageShift), vend: pageOf(vend, pageShift) };
    }),
  };
}

/** True when a line has all fields of its event, with possible values. */
function isWhole({ cpu, name, fields }: Parsed): boolean {
  const isPages = (field: string, least: bigint): boolean => {
    const bytes = fields.get(field) ?? -1n;
    return bytes >= least && bytes % LEAST_PAGE === 0n;
  };
  const isCount = (field: string): boolean => (fields.get(field) ?? 1n << 64n) < 1n << 53n;
  if (cpu >= MOST_CPUS || [...fields.values()].some((value) => value >= 1n << 64n)) return false;
  switch (name) {
    case 'alloc_vmap_area': {
      const { align = 0n, vstart = 1n, vend = 0n, failed = 2n } = Object.fromEntries(fields);
      const isPlaced = failed === 1n ? fields.has('va_start') : isPages('va_start', 0n);
      const isPower = align > 0n && (align & (align - 1n)) === 0n;
      return isPages('size', LEAST_PAGE) && isPlaced && isPower && vstart < vend && failed < 2n;
    }
    case 'free_vmap_area_noflush':
      return isPages('va_start', 0n) && isCount('nr_lazy') && isCount('nr_lazy_max');
    default:
      return fields.has('start') && fields.has('end') && isCount('num_purged');
  }
}

function eventOf(event: Parsed, page: (event: Parsed, field: string) => number, window: number): Event {
  switch (event.name) {
    case 'alloc_vmap_area':
      return {
        ...{ type: 'allocation', window, size: page(event, 'size') },
        start: event.fields.get('failed') === 1n ? null : page(event, 'va_start'),
        align: Math.max(1, page(event, 'align')),
      };
    case 'free_vmap_area_noflush':
      return {
        ...{ type: 'free', start: page(event, 'va_start') },
        lazyPages: Number(event.fields.get('nr_lazy')),
        lazyMaxPages: Number(event.fields.get('nr_lazy_max')),
      };
    default:
      return {
        ...{ type: 'purge done', areas: Number(event.fields.get('num_purged')) },
        ...{ start: page(event, 'start'), end: page(event, 'end') },
      };
  }
}

/** Reads fields such as `va_start: 12 size=0x5000`, decimal or hexadecimal. */
function fieldsOf(text: string): Map<string, bigint> {
  return new Map(
    [...text.matchAll(/(\w+)(?:=|: )(0x[0-9a-f]+|\d+)/g)].map(([, key = '', value = '0']) => [
      key,
      BigInt(value),
    ]),
  );
}

function windowOf({ fields }: Parsed): string {
  return `${fields.get('vstart') ?? 0n} ${fields.get('vend') ?? 0n}`;
}

/** The window of most requests: that of vmalloc. */
function usualWindow(events: readonly Parsed[]): string {
  const counts = new Map<string, number>();
  for (const event of events)
    if (event.name === 'alloc_vmap_area') counts.set(windowOf(event), (counts.get(windowOf(event)) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? '0 0';
}

/** The largest page size that divides all sizes, addresses and alignments. */
function pageShiftOf(events: readonly Parsed[]): number {
  const whole = events.flatMap(({ fields }) => {
    const align = fields.get('align') ?? 1n;
    const start = fields.get('failed') === 1n ? undefined : fields.get('va_start');
    return [fields.get('size') ?? 0n, start ?? 0n, align > 1n ? align : 0n];
  });
  return PAGE_SHIFTS.find((shift) => whole.every((bytes) => BigInt.asUintN(shift, bytes) === 0n)) ?? 12;
}
