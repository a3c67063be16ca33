import type { Allocation } from '@vmarea/compare';
import { describe, expect, it, vi } from 'vitest';
import { replay } from '../../src/replay/command.js';
import { readTrace } from '../../src/replay/read-trace.js';
import type { ReplayResult } from '../../src/replay/result.js';
import type { Trace } from '../../src/replay/trace.js';
import { pathOf } from '../support/files.js';

vi.setConfig({ testTimeout: 120_000 });

type Row = Trace['rows'][number];

/** The start of a recording: long enough for thousands of placements after each corrupted row. */
function startOf(set: string, rows: number): Trace {
  const trace = readTrace(pathOf(`test/data/traces/${set}`));
  return { ...trace, folder: null, rows: trace.rows.slice(0, rows) };
}

const SETS = { 'x86-1cpu': startOf('x86-1cpu', 20_000), 'x86-2cpu': startOf('x86-2cpu', 60_000) } as const;
const NAMES = Object.keys(SETS) as (keyof typeof SETS)[];
/** Corrupted rows of each recording, at even distances. */
const PLACES = [0.1, 0.3, 0.5, 0.7];
/** Further than any area. */
const FAR = 2 ** 30;

/** The rows of a kind in a recording. */
function rowsOf(trace: Trace, isOne: (row: Row) => boolean): number[] {
  return trace.rows.flatMap((row, i) => (isOne(row) ? [i] : []));
}

const placed = ({ event }: Row): boolean =>
  event.type === 'allocation' && event.start !== null && event.window === 0;
const requestOf = (trace: Trace, at: number): Allocation => (trace.rows[at] as Row).event as Allocation;

/** The result with one row replaced. Other rows may be replaced by their number, too. */
function changed(trace: Trace, changes: ReadonlyMap<number, Partial<Allocation>>): ReplayResult {
  const rows = trace.rows.map((row, i) =>
    changes.has(i) ? { ...row, event: { ...row.event, ...changes.get(i) } as Row['event'] } : row,
  );
  return replay({ ...trace, rows });
}

/** All that differs. */
function differing({
  different,
  failingRequests,
  percpu,
  purges,
  lazyPages,
  damage,
}: ReplayResult): number[] {
  return [different, failingRequests, percpu, purges, lazyPages]
    .map((one) => (typeof one === 'number' ? one : one.different))
    .concat(damage.count);
}

describe.each(NAMES.flatMap((name) => PLACES.map((place) => [name, place] as const)))(
  'a recording with one corrupted row (%s, at %d of it)',
  (name, place) => {
    const trace = SETS[name];
    const all = rowsOf(trace, placed);
    const at = all[Math.floor(place * all.length)] as number;
    const { start, size } = requestOf(trace, at) as Allocation & { start: number };

    it('has nothing that differs without it', () => {
      expect(differing(replay(trace))).toEqual([0, 0, 0, 0, 0, 0]);
    });

    it.each([FAR, 1, -1])('has one difference for an address that is %d pages off', (pages) => {
      const result = changed(trace, new Map([[at, { start: start + pages }]]));
      expect(differing(result)).toEqual([1, 0, 0, 0, 0, 0]);
      expect(result.firstDifference[0]).toContain(`line ${trace.rows[at]?.line}: ${size} pages`);
    });

    it('has one difference for an address that its free has, too', () => {
      const freed = trace.rows.findIndex(
        ({ event }, i) => i > at && event.type === 'free' && event.start === start,
      );
      const changes = new Map([at, freed].map((row) => [row, { start: start + FAR }]));
      expect(differing(changed(trace, changes))).toEqual([1, 0, 0, 0, 0, 0]);
    });

    it('has one difference for a success that is recorded as a failure', () => {
      expect(differing(changed(trace, new Map([[at, { start: null }]])))).toEqual([0, 1, 0, 0, 0, 0]);
    });

    // With several processors, the lock rows of the request belong to its own row.
    it.skipIf(trace.hasLocks)('has one difference for a failure that never was', () => {
      const rows = [...trace.rows];
      const row = rows[at] as Row;
      rows.splice(at, 0, { ...row, event: { ...(row.event as Allocation), start: null } });
      expect(differing(replay({ ...trace, rows }))).toEqual([0, 1, 0, 0, 0, 0]);
    });

    it('has one part with damage for a free that never was', () => {
      const rows = [...trace.rows];
      const event = { type: 'free', start: start + FAR, lazyPages: 7, lazyMaxPages: null } as const;
      rows.splice(at, 0, { ...(rows[at] as Row), thread: 'bogus', event });
      const result = replay({ ...trace, rows });
      expect(differing(result)).toEqual([0, 0, 0, 0, 0, 1]);
      expect(result.determined).toBe(replay(trace).determined);
    });

    it('has two differences for two corrupted rows', () => {
      const second = all[Math.floor(place * all.length) + 37] as number;
      const other = requestOf(trace, second).start as number;
      const result = changed(
        trace,
        new Map([
          [at, { start: start + FAR }],
          [second, { start: other + FAR }],
        ]),
      );
      expect(differing(result)).toEqual([2, 0, 0, 0, 0, 0]);
    });
  },
);
