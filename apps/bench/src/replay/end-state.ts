import { formatVmallocinfo } from '@vmarea/core';
import { END_FILE } from './early-areas.js';
import { type Range, rangesOf } from './ranges.js';
import type { Replayer } from './replayer.js';
import type { Trace } from './trace.js';

export { earlyAreas } from './early-areas.js';

/** The comparison of the replay with the recorded final /proc/vmallocinfo. */
export interface EndState {
  /** Lines with areas, and those whose range the replay has exactly. */
  readonly areas: number;
  readonly areasEqual: number;
  /** Areas of the replay that the file lacks. */
  readonly surplus: number;
  /** The same for `unpurged vm_area` lines. */
  readonly unpurged: number;
  readonly unpurgedEqual: number;
  readonly unpurgedSurplus: number;
  /** The first line that the replay lacks. */
  readonly first: string | null;
}

/** Compares the end of the replay; `null` when nothing was recorded, or the stream ends before. */
export function compareEndState(trace: Trace, replayer: Replayer): EndState | null {
  const ranges = trace.isCut === true ? null : rangesOf(trace, END_FILE);
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

/** Compares recorded ranges with those of the replay, by their starts. */
function held(recorded: readonly Range[], ours: ReadonlyMap<number, number>) {
  const missing = recorded.filter(({ start, end }) => ours.get(start) !== end);
  const starts = new Set(recorded.map(({ start }) => start));
  return {
    ...{ recorded: recorded.length, equal: recorded.length - missing.length, missing },
    surplus: [...ours.keys()].filter((start) => !starts.has(start)).length,
  };
}
