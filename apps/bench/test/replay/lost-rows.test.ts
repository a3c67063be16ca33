import type { Allocation } from '@vmarea/compare';
import { describe, expect, test, vi } from 'vitest';
import { replay } from '../../src/replay/command.js';
import { readTrace } from '../../src/replay/read-trace.js';
import { targetsOf } from '../../src/replay/targets.js';
import type { Trace } from '../../src/replay/trace.js';
import { pathOf } from '../support/files.js';

vi.setConfig({ testTimeout: 120_000 });

type Row = Trace['rows'][number];

const one = readTrace(pathOf('test/data/traces/x86-1cpu'));
const two = readTrace(pathOf('test/data/traces/x86-2cpu'));

/** Numbers from 0 to 1, always the same ones. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Some rows of a kind, from the end of the boot on. */
function some(
  trace: Trace,
  count: number,
  seed: number,
  isOne: (row: Row, i: number) => boolean,
): Set<number> {
  const all = trace.rows.flatMap((row, i) => (i > 200 && isOne(row, i) ? [i] : []));
  const next = numbers(seed);
  const chosen = new Set<number>();
  while (chosen.size < count) chosen.add(all[Math.floor(next() * all.length)] as number);
  return chosen;
}

const without = (trace: Trace, lost: ReadonlySet<number>): Trace => ({
  ...trace,
  rows: trace.rows.filter((_row, i) => !lost.has(i)),
});
const isPlaced = ({ event }: Row): boolean => event.type === 'allocation' && event.start !== null;
const isFree = ({ event }: Row): boolean => event.type === 'free';

const NONE = { different: 0 };
const CASES = [
  [1, 1],
  [5, 2],
  [20, 3],
] as const;

describe('a recording of one processor', () => {
  test.each(CASES)(
    'that lost the rows of %d frees is damaged in as many places, and differs nowhere (seed %d)',
    (count, seed) => {
      const lost = some(one, count, seed, isFree);
      const result = replay(without(one, lost));
      expect(result).toMatchObject({
        ...{ placements: 106_431, determined: 106_431, equal: 106_431, different: 0, ambiguous: 0 },
        ...{ failingRequests: NONE, percpu: NONE, lazyPages: NONE, purges: NONE },
        damage: { count },
        endState: { areas: 176, areasEqual: 176, surplus: 0 },
      });
      expect(result.snapshots.every(({ first }) => first === null)).toBe(true);
      // Each is found at the next free, or at the end of the purge that it was a part of.
      const lines = [...lost].map((i) => one.rows[i]?.line as number).sort((a, b) => a - b);
      for (const [i, { line, what }] of result.damage.first.entries()) {
        expect(what).toMatch(/^the row of a free before this is lost: of 0x[0-9a-f]+, from line \d+$/);
        expect(line).toBeGreaterThan(lines[i] as number);
      }
    },
  );

  test.each(CASES)(
    'that lost the rows of %d requests is damaged where they are freed, and has one difference at most for each (seed %d)',
    (count, seed) => {
      const result = replay(without(one, some(one, count, seed, isPlaced)));
      expect(result).toMatchObject({
        ...{ failingRequests: NONE, percpu: NONE, lazyPages: NONE, purges: NONE },
        placements: 106_431 - count,
        damage: { count },
        endState: { areas: 176, areasEqual: 176, surplus: 0 },
      });
      expect(result.different).toBeLessThanOrEqual(count);
      // When a lost area was taken, and so the shape of the tree, no row tells. Alignments above a page depend on it.
      expect(result.determined).toBe(result.placements - result.ambiguous);
    },
  );

  test.each(CASES)(
    'that has %d wrong sizes has one difference for each, at the next placement or at the free (seed %d)',
    (count, seed) => {
      const wrong = some(one, count, seed, isPlaced);
      const next = numbers(seed + 1);
      const rows = one.rows.map((row, i) => {
        if (!wrong.has(i)) return row;
        const { size } = row.event as Allocation;
        return {
          ...row,
          event: { ...row.event, size: size > 1 && next() < 0.5 ? size - 1 : size + 1 } as Row['event'],
        };
      });
      const result = replay({ ...one, rows });
      expect(result).toMatchObject({
        ...{ failingRequests: NONE, percpu: NONE, purges: NONE, damage: { count: 0 } },
        endState: { areas: 176, areasEqual: 176, surplus: 0 },
      });
      expect(result.different + result.lazyPages.different).toBe(count);
    },
  );
});

describe('a recording of two processors', () => {
  const start: Trace = { ...two, folder: null, rows: two.rows.slice(0, 60_000) };

  test('tells by its lock rows where a free is lost', () => {
    const again = new Map<number, number>();
    for (const [i, { event }] of start.rows.entries())
      if (event.type === 'allocation' && event.start !== null) again.set(event.start, i);
    // An area whose place nobody gets again may live to the end.
    const lost = some(
      start,
      3,
      4,
      ({ event }, i) => event.type === 'free' && (again.get(event.start) ?? 0) > i,
    );
    expect(replay(without(start, lost))).toMatchObject({
      different: 0,
      ambiguous: 0,
      purges: NONE,
      damage: { count: 3 },
    });
  });

  test('has a target for the lazy list of each free, and none for a reader of all lists', () => {
    const targets = targetsOf(two.rows);
    const orphans = two.rows.filter(
      ({ event }, i) => event.type === 'lock' && event.lock === 'lazy' && targets[i] === null,
    );
    // Only purges: they hold each list, and free nothing there.
    const purging = new Set(
      two.rows.flatMap(({ event, thread }) => (event.type === 'purge entered' ? [thread] : [])),
    );
    expect(orphans.every(({ thread }) => purging.has(thread))).toBe(true);
  });
});
