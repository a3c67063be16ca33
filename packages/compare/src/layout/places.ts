import type { Kind } from '../areas/workload.js';
import type { Plan } from './plan.js';
import type { PlannedArea } from './planned-area.js';

/** An area at its address in one configuration. */
export interface PlacedArea {
  /** The line of the input. */
  readonly line: number;
  readonly kind: Kind;
  /** The function that asked for it, or its address; empty when the line does not tell. */
  readonly caller: string;
  /** Its first byte. */
  readonly address: bigint;
  /** Usable bytes, and those of the guard after them. */
  readonly bytes: number;
  readonly guardBytes: number;
  /** Bytes at its start that are mapped. */
  readonly mappedBytes: number;
  /** Whether a physical range is mapped, such as a device's. It takes no memory. */
  readonly isDevice: boolean;
  /** Bytes of mapped memory that nobody asked for: its size is rounded up to pages. 0 for a device. */
  readonly roundingBytes: number;
  /** Its share of the bytes of page tables. */
  readonly tableBytes: number;
}

/** What the areas of one caller cost in one configuration. */
export interface CallerCost {
  /** The function, or its address; empty for areas whose lines do not tell. */
  readonly caller: string;
  /** The kinds of its areas, in the order of their first lines. */
  readonly kinds: readonly Kind[];
  readonly areas: number;
  /** Bytes of memory that its areas map, and bytes of devices. */
  readonly memoryBytes: number;
  readonly deviceBytes: number;
  /** As of its areas: the sums. */
  readonly roundingBytes: number;
  readonly tableBytes: number;
}

/** The areas of a plan, with their shares of the tables. */
export function placesOf({ areas, configuration: { format } }: Plan, shares: Float64Array): PlacedArea[] {
  const pageBytes = 2 ** format.pageShift;
  return areas.map((planned, i) => {
    const { request, area, mapping } = planned;
    return {
      ...{ line: request.line, kind: request.kind, caller: request.caller },
      ...{ address: area.address, bytes: Number(area.bytes), guardBytes: area.guardBytes },
      mappedBytes: (mapping?.pages ?? 0) * pageBytes,
      isDevice: mapping?.source.type === 'range',
      roundingBytes: roundingOf(planned, pageBytes),
      tableBytes: shares[i] as number,
    };
  });
}

function roundingOf({ request: { content }, mapping }: PlannedArea, pageBytes: number): number {
  if (mapping?.source.type !== 'frames' || content.type !== 'frames') return 0;
  return mapping.pages * pageBytes - content.bytes;
}

/** The callers of areas. The one whose rounding and tables cost most is the first. */
export function callersOf(places: readonly PlacedArea[]): CallerCost[] {
  const callers = new Map<string, PlacedArea[]>();
  for (const place of places) {
    const known = callers.get(place.caller);
    if (known === undefined) callers.set(place.caller, [place]);
    else known.push(place);
  }
  const sum = (of: readonly PlacedArea[], bytes: (place: PlacedArea) => number): number =>
    of.reduce((total, place) => total + bytes(place), 0);
  return [...callers]
    .map(([caller, of]) => ({
      caller,
      kinds: [...new Set(of.map(({ kind }) => kind))],
      areas: of.length,
      memoryBytes: sum(of, ({ isDevice, mappedBytes }) => (isDevice ? 0 : mappedBytes)),
      deviceBytes: sum(of, ({ isDevice, mappedBytes }) => (isDevice ? mappedBytes : 0)),
      roundingBytes: sum(of, ({ roundingBytes }) => roundingBytes),
      tableBytes: sum(of, ({ tableBytes }) => tableBytes),
    }))
    .sort((a, b) => costOf(b) - costOf(a) || (a.caller < b.caller ? -1 : 1));
}

function costOf({ roundingBytes, tableBytes }: CallerCost): number {
  return roundingBytes + tableBytes;
}
