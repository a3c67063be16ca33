import { describe, expect, it } from 'vitest';
import { replay } from '../../src/replay/command.js';
import { decayed, done, entered, freed, note, purged, streamOf, taken } from '../support/streams.js';

describe('before the first lock row, a purge', () => {
  it.each([1, 2])('fills the pools of a node at its row, not at the start (%d processors)', (cpus) => {
    const result = replay(
      streamOf(
        [
          ['1', taken(0)],
          ['1', taken(2)],
          ['2', note, cpus - 1],
          ['1', freed(0)],
          ['9', entered],
          ['9', decayed(0)],
          ['9', decayed(1)],
          // The pool of node 0 is empty here.
          ['1', taken(4)],
          ['9', purged(0)],
          ['1', taken(0)],
          ['9', done(1)],
        ],
        cpus,
        2,
      ),
    );
    expect(result).toMatchObject({
      different: 0,
      ambiguous: 0,
      fromPools: 1,
      purges: { equal: 1, different: 0 },
    });
  });

  it('takes the lazy list of a node when it decays it, not before and not after', () => {
    const rows = (second: number, areas: number): Parameters<typeof streamOf>[0] => [
      // Pages 0 to 15 of a zone belong to node 0, the next to node 1. Areas of the processor's node wait there.
      ['1', taken(0, 2)],
      ['1', taken(2, 2)],
      ['1', freed(0)],
      ['9', entered],
      ...(second === 0 ? ([['1', freed(2)]] as Parameters<typeof streamOf>[0]) : []),
      ['9', decayed(0)],
      ...(second === 1 ? ([['1', freed(2)]] as Parameters<typeof streamOf>[0]) : []),
      ['9', decayed(1)],
      ['9', purged(0)],
      ['9', done(areas)],
    ];
    expect(replay(streamOf(rows(0, 2), 1, 2)).purges).toEqual({ equal: 1, different: 0 });
    expect(replay(streamOf(rows(1, 1), 1, 2)).purges).toEqual({ equal: 1, different: 0 });
  });

  it('is worked off whole at its end where no row tells more', () => {
    const result = replay(
      streamOf(
        [
          ['1', taken(0)],
          ['1', freed(0)],
          ['1', taken(2)],
          ['9', entered],
          ['9', done(1)],
          ['1', taken(0)],
        ],
        1,
        1,
      ),
    );
    expect(result).toMatchObject({ different: 0, purges: { equal: 1, different: 0 } });
  });

  it('leaves the lazy lists alone when the shrinker decays beside it', () => {
    const result = replay(
      streamOf(
        [
          ['1', taken(0)],
          ['9', entered],
          ['9', decayed(0)],
          ['1', freed(0)],
          ['5', { type: 'decay', node: 0, isFull: true }],
          ['9', decayed(1)],
          ['9', done(0)],
        ],
        1,
        2,
      ),
    );
    expect(result.purges).toEqual({ equal: 1, different: 0 });
  });
});

describe('a request whose row follows the fill of its pool', () => {
  /** Thread 5 acts, another thread purges, and then the row of the request of thread 5 comes. */
  const rows = (last: number, row: 'before' | 'after'): Parameters<typeof streamOf>[0] => [
    ['1', taken(0)],
    ['1', taken(2)],
    ['1', freed(0)],
    ...(row === 'before' ? ([['5', note]] as Parameters<typeof streamOf>[0]) : []),
    ['9', entered],
    ['9', decayed(0)],
    ['9', decayed(1)],
    ['9', purged(0)],
    ['9', done(1)],
    ...(row === 'after' ? ([['5', note]] as Parameters<typeof streamOf>[0]) : []),
    ['5', taken(last)],
  ];

  it('may have seen the pool empty: that is ambiguous, and the replay goes on with it', () => {
    const result = replay(streamOf([...rows(4, 'before'), ['6', taken(0)], ['6', taken(6)]], 1, 2));
    expect(result).toMatchObject({
      ...{
        placements: 5,
        equal: 4,
        different: 0,
        ambiguous: 1,
        ambiguousLines: [10],
        determined: 4,
        fromPools: 1,
      },
      undetermined: { 'since no row shows when their request looked at its pool': 1 },
    });
  });

  it('is determined when it found the pool filled', () => {
    expect(replay(streamOf(rows(0, 'before'), 1, 2))).toMatchObject({
      different: 0,
      ambiguous: 0,
      determined: 3,
    });
  });

  it('differs when its thread acted after the fill', () => {
    expect(replay(streamOf(rows(4, 'after'), 1, 2))).toMatchObject({
      different: 1,
      ambiguous: 0,
      determined: 3,
    });
  });

  it('differs at an address that neither choice gives', () => {
    expect(replay(streamOf(rows(7, 'before'), 1, 2))).toMatchObject({ different: 1, ambiguous: 0 });
  });

  it('may have left the head of the pool where it was', () => {
    const all = (last: number): Parameters<typeof streamOf>[0] => [
      ...([0, 2, 4] as const).map((page) => ['1', taken(page)] as const),
      ['1', freed(0)],
      ['1', freed(2)],
      ['5', note],
      ['9', entered],
      ['9', decayed(0)],
      ['9', decayed(1)],
      ['9', purged(0)],
      ['9', done(2)],
      // The head of the pool is page 2. It is not aligned to 4 pages, so it goes to the tail, if this request saw it.
      ['5', taken(8, 2, 4)],
      ['9', taken(last)],
    ];
    expect(replay(streamOf(all(0), 1, 2))).toMatchObject({ different: 0, ambiguous: 0 });
    expect(replay(streamOf(all(2), 1, 2))).toMatchObject({
      different: 0,
      ambiguous: 1,
      ambiguousLines: [13],
    });
    expect(replay(streamOf(all(6), 1, 2))).toMatchObject({ different: 1, ambiguous: 0 });
  });

  it('does not look at the pool when it is the second try of a request that failed', () => {
    const failed = { type: 'allocation', start: null, size: 2 ** 36, align: 1, window: 0 } as const;
    const result = replay(
      streamOf(
        [
          ...rows(0, 'before').slice(0, 3),
          ['5', failed],
          ['5', { type: 'exhausted' }],
          ...rows(0, 'before').slice(4, 9),
          // Here a purge of another thread has filled the pool.
          ['5', taken(4)],
          ['6', taken(0)],
        ],
        1,
        2,
      ),
    );
    expect(result).toMatchObject({ different: 0, ambiguous: 0, fromPools: 1, failingRequests: { equal: 1 } });
  });
});

describe('a difference', () => {
  it('is counted before the area goes where the kernel has it, and the next decisions are judged by themselves', () => {
    const result = replay(
      streamOf(
        [
          ['1', taken(0, 8)],
          ['1', taken(8, 4)],
          // The kernel passes pages 12 to 15 over: somebody whose row is lost has them.
          ['1', taken(16, 4)],
          ['1', taken(20, 4)],
          ['1', freed(16)],
          ['1', taken(24, 2)],
        ],
        1,
        1,
      ),
    );
    expect(result).toMatchObject({ placements: 5, equal: 4, different: 1 });
    expect(result.firstDifference[0]).toBe(
      'First difference, line 3: 4 pages aligned to 1 in window 0: recorded 0xffffc90000010000, here 0xffffc9000000c000',
    );
  });
});
