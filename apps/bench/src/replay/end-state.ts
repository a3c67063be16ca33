import type { Replayer } from './replayer.js';
import { pageOf, type Trace, traceFile } from './trace.js';

/** The recorded /proc/vmallocinfo of the end, held against the replay. */
export interface EndState {
  /** Lines that are areas, and those of which the replay has exactly this range. */
  readonly areas: number;
  readonly areasEqual: number;
  /** Areas of the replay that the file lacks. */
  readonly surplus: number;
  /** Lines `unpurged vm_area`, likewise. */
  readonly unpurged: number;
  readonly unpurgedEqual: number;
  readonly first: string | null;
}

interface Range {
  readonly start: number;
  readonly end: number;
  readonly line: string;
}

/** Compares at the end of the replay; `null` where nothing was recorded. */
export function compareEndState(trace: Trace, replayer: Replayer): EndState | null {
  const text = traceFile(trace, 'vmallocinfo-end.txt.gz');
  if (text === null) return null;
  const lines = rangesOf(text, trace.pageShift);
  const live = new Map([...replayer.areas.values()].map(({ start, size }) => [start, start + size]));
  const waiting = new Map<number, number>();
  for (let node = 0; node < replayer.nodes.count; node++)
    for (const { start, size } of replayer.nodes.state(node).lazy) waiting.set(start, start + size);
  const isUnpurged = ({ line }: Range): boolean => line.includes('unpurged vm_area');
  const areas = lines.filter((range) => !isUnpurged(range));
  const unpurged = lines.filter(isUnpurged);
  const wrong = [
    ...areas.filter(({ start, end }) => live.get(start) !== end),
    ...unpurged.filter(({ start, end }) => waiting.get(start) !== end),
  ];
  const recorded = new Set(areas.map(({ start }) => start));
  return {
    areas: areas.length,
    areasEqual: areas.filter(({ start, end }) => live.get(start) === end).length,
    surplus: [...live.keys()].filter((start) => !recorded.has(start)).length,
    unpurged: unpurged.length,
    unpurgedEqual: unpurged.filter(({ start, end }) => waiting.get(start) === end).length,
    first: wrong[0]?.line ?? null,
  };
}

/** Areas that were there before the first row: those that the start has and no row allocates. */
export function earlyAreas(trace: Trace): { readonly start: number; readonly size: number }[] {
  const text = traceFile(trace, 'vmallocinfo-start.txt.gz');
  if (text === null) return [];
  const allocated = new Set<number>();
  for (const { event } of trace.rows) {
    if (event.type === 'allocation' && event.start !== null) allocated.add(event.start);
    if (event.type === 'percpu done' && event.start !== null) allocated.add(event.start);
  }
  return rangesOf(text, trace.pageShift)
    .filter(({ start, line }) => !allocated.has(start) && !line.includes('unpurged'))
    .map(({ start, end }) => ({ start, size: end - start }))
    .sort((a, b) => a.start - b.start);
}

function rangesOf(text: string, pageShift: number): Range[] {
  return text.split('\n').flatMap((line) => {
    const [, start, end] = /^0x([0-9a-f]+)-0x([0-9a-f]+) /.exec(line) ?? [];
    if (start === undefined || end === undefined) return [];
    return [{ start: pageOf(start, pageShift), end: pageOf(end, pageShift), line }];
  });
}
