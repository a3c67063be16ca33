import { UsageError } from '@vmarea/cli';
import { printable } from '@vmarea/core';
import { type Event, MOST_NODES, pageOf, type Row, type Trace } from './trace.js';

/*
 * Text with the kernel's vmalloc events: /sys/kernel/tracing/trace (`echo 1 > events/vmalloc/enable`), `trace-cmd report`, or `perf script`
 * (`perf record -a -e vmalloc:*`). It may contain lines of other tracers, and may lack lost events.
 *
 * Source: Linux 6.12, include/trace/events/vmalloc.h (TP_printk of each event), kernel/trace/trace_output.c (trace_print_context).
 */

/** A name has 15 characters at most, and may contain anything. What an event quotes, such as another event, comes after its own name. */
const NAME = String.raw`^ *(?<name>\S.{0,15}?)`;
const EVENT = String.raw`(?<time>[\d.]+): +(?:\d+ +)?(?:vmalloc:)?(?<event>\w+): *(?<rest>.*)$`;
/** `bash-1234    ( 1230) [000] d..1.  12.345678: event: …`; the group and the flags are options of ftrace. */
const FTRACE = new RegExp(
  String.raw`${NAME}-(?<thread>\d+) +(?:\([ \d-]+\) +)?\[(?<cpu>\d+)\] +(?:\S{4,6} +)?${EVENT}`,
);
/** `bash  1234 [000]    12.345678: vmalloc:event: …`; process and thread, and a count before the event, are options of perf. */
const PERF = new RegExp(String.raw`${NAME} +(?:\d+\/)?(?<thread>\d+) +\[(?<cpu>\d+)\] +${EVENT}`);
const EVENTS: readonly string[] = ['alloc_vmap_area', 'free_vmap_area_noflush', 'purge_vmap_area_lazy'];
/** ftrace's own line, and perf's record. */
const LOST = /^(?:CPU:\d+ \[LOST (?:(\d+) )?EVENTS\]|.*: PERF_RECORD_LOST(?:_SAMPLES)?:? lost (\d+))/;
/** The header of ftrace: events that are here and that were written, and the number of processors. */
const WRITTEN = /^# entries-in-buffer\/entries-written: (\d+)\/(\d+)(?: +#P:(\d+))?/;
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
  readonly fields: Map<string, bigint>;
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
  let online = 1;
  const lines = text.split('\n');
  for (const [i, line] of lines.entries()) {
    const lost = LOST.exec(line);
    const written = WRITTEN.exec(line);
    const parsed = parsedLine(line, i + 1);
    if (lost !== null) {
      // The ring buffer may not tell how many: then at least one.
      lostEvents += Number(lost[1] ?? lost[2] ?? 1);
    } else if (written !== null) {
      lostEvents += Math.max(0, Number(written[2]) - Number(written[1]));
      online = Math.min(MOST_CPUS, Math.max(online, Number(written[3] ?? 1)));
    } else if (parsed === null) otherLines += line === '' || line.startsWith('#') ? 0 : 1;
    else {
      // The last line has no end: the number there may have more digits.
      const isCut = i === lines.length - 1 && withoutCutNumber(parsed);
      // A buffer that is read during writing ends within a line.
      const isUsed = isWhole(parsed, isCut);
      if (isUsed) events.push(parsed);
      if (isCut || !isUsed) damagedLines++;
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
  const cpus = rows.reduce((most, { cpu }) => Math.max(most, cpu + 1), online);
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

/** The event of a line; `null` for a line of another tracer. */
function parsedLine(line: string, number: number): Parsed | null {
  const { thread, cpu, event, rest } = (FTRACE.exec(line) ?? PERF.exec(line))?.groups ?? {};
  if (event === undefined || rest === undefined || !EVENTS.includes(event)) return null;
  return { cpu: Number(cpu), thread: thread as string, line: number, name: event, fields: fieldsOf(rest) };
}

/** Removes the last number of an event if more digits may follow it. Returns false when it is whole. */
function withoutCutNumber({ name, fields }: Parsed): boolean {
  const last = [...fields.keys()].at(-1);
  // The flag has one digit.
  if (last === undefined || (name === 'alloc_vmap_area' && last === 'failed')) return false;
  fields.delete(last);
  return true;
}

/**
 * True when a line has all fields of its event, with possible values.
 *
 * @param isCut - true when the last field was cut off, and may be missing.
 */
function isWhole({ cpu, name, fields }: Parsed, isCut: boolean): boolean {
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
      return isPages('va_start', 0n) && isCount('nr_lazy') && (isCut || isCount('nr_lazy_max'));
    default:
      return fields.has('start') && fields.has('end') && (isCut || isCount('num_purged'));
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
        lazyPages: numberOf(event, 'nr_lazy'),
        lazyMaxPages: numberOf(event, 'nr_lazy_max'),
      };
    default:
      return {
        ...{ type: 'purge done', areas: numberOf(event, 'num_purged') },
        ...{ start: page(event, 'start'), end: page(event, 'end') },
      };
  }
}

function numberOf({ fields }: Parsed, field: string): number | null {
  const value = fields.get(field);
  return value === undefined ? null : Number(value);
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

/** The events from which on alignments say nothing about the page size. */
const ENOUGH = 2;

/**
 * The largest page size that divides all sizes and addresses.
 *
 * An alignment may be below the page: drivers ask for one of 8 bytes or 4 KiB on any kernel. Where events are too few to tell by their
 * sizes, an alignment of 4 KiB or more is a sign, too.
 */
function pageShiftOf(events: readonly Parsed[]): number {
  const whole = events.flatMap(({ fields }) => {
    const start = fields.get('failed') === 1n ? undefined : fields.get('va_start');
    const align = events.length < ENOUGH ? (fields.get('align') ?? 0n) : 0n;
    return [fields.get('size') ?? 0n, start ?? 0n, align < LEAST_PAGE ? 0n : align];
  });
  return PAGE_SHIFTS.find((shift) => whole.every((bytes) => BigInt.asUintN(shift, bytes) === 0n)) ?? 12;
}
