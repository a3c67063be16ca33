import { formatVmallocinfo, type ParsedVmallocinfoLine } from '@vmarea/core';
import { functionOf, readVmallocinfo } from '../input/vmallocinfo.js';
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
  readonly unpurgedSurplus: number;
  /** The first line that the replay lacks. */
  readonly first: string | null;
}

/** Callers whose areas are there before the first request: what vm_area_add_early registered (the kernel's own image on arm64). */
const EARLY_CALLERS: readonly string[] = ['paging_init', 'map_kernel', 'declare_kernel_vmas'];

interface Range {
  readonly start: number;
  readonly end: number;
  readonly line: ParsedVmallocinfoLine;
}

/** Compares at the end of the replay; `null` where nothing was recorded. */
export function compareEndState(trace: Trace, replayer: Replayer): EndState | null {
  const ranges = rangesOf(trace, 'vmallocinfo-end.txt.gz');
  if (ranges === null) return null;
  const live = new Map<number, number>();
  for (const area of [...replayer.areas.values(), ...replayer.surplus])
    if (area !== null) live.set(area.start, area.start + area.size);
  const waiting = new Map<number, number>();
  for (let node = 0; node < replayer.nodes.count; node++)
    for (const { start, size } of replayer.nodes.state(node).lazy) waiting.set(start, start + size);
  const isUnpurged = ({ line }: Range): boolean => line.type === 'unpurged';
  const areas = held(
    ranges.filter((range) => !isUnpurged(range)),
    live,
  );
  const unpurged = held(ranges.filter(isUnpurged), waiting);
  const [missing] = [...areas.missing, ...unpurged.missing];
  return {
    ...{ areas: areas.recorded, areasEqual: areas.equal, surplus: areas.surplus },
    ...{ unpurged: unpurged.recorded, unpurgedEqual: unpurged.equal, unpurgedSurplus: unpurged.surplus },
    first: missing === undefined ? null : formatVmallocinfo([missing.line]).trimEnd(),
  };
}

/** Recorded ranges against those of the replay, end by start. */
function held(recorded: readonly Range[], ours: ReadonlyMap<number, number>) {
  const missing = recorded.filter(({ start, end }) => ours.get(start) !== end);
  const starts = new Set(recorded.map(({ start }) => start));
  return {
    ...{ recorded: recorded.length, equal: recorded.length - missing.length, missing },
    surplus: [...ours.keys()].filter((start) => !starts.has(start)).length,
  };
}

/** Areas that were there before the first row, by address: what the kernel registered for itself. */
export function earlyAreas(trace: Trace): { readonly start: number; readonly size: number }[] {
  return (rangesOf(trace, 'vmallocinfo-start.txt.gz') ?? [])
    .filter(({ line }) => EARLY_CALLERS.includes(functionOf(line)))
    .map(({ start, end }) => ({ start, size: end - start }))
    .sort((a, b) => a.start - b.start);
}

/** The ranges of a recorded file; `null` when it is not there. */
function rangesOf(trace: Trace, file: string): Range[] | null {
  const text = traceFile(trace, file);
  if (text === null) return null;
  const page = (address: bigint): number => pageOf(address, trace.pageShift);
  return readVmallocinfo(text, file).flatMap((line) =>
    line.start === null || line.end === null ? [] : [{ start: page(line.start), end: page(line.end), line }],
  );
}
