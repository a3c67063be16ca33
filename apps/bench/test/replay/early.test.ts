import { existsSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { replay } from '../../src/replay/command.js';
import { earlyOf } from '../../src/replay/early-areas.js';
import { readTrace } from '../../src/replay/read-trace.js';
import { isSame } from '../../src/replay/report.js';
import type { Trace } from '../../src/replay/trace.js';
import { capture } from '../support/capture.js';
import { pathOf } from '../support/files.js';

vi.setConfig({ testTimeout: 120_000 });

/** The whole recording, where the recordings are beside the repository. The project has its first tenth, up to the snapshot 'mid'. */
const WHOLE = pathOf('../../../shared/traces/arm64-16k-1of2cpu');

describe('a recording whose first per-cpu chunk is older than its probes', () => {
  const set = readTrace(pathOf('test/data/traces/arm64-16k-1of2cpu'));

  it('has the image of the kernel and that chunk before its first row', () => {
    const { areas = [], chunks } = earlyOf(set) ?? {};
    expect(areas).toHaveLength(5);
    expect(chunks).toEqual([{ start: 0xffffffbfbf788000 / 2 ** 14, size: 0x78000 / 2 ** 14 }]);
  });

  it('is equal in every placement, chunk and snapshot', () => {
    const result = replay(set);
    expect(isSame(result)).toBe(true);
    expect(result).toMatchObject({
      ...{
        placements: 3_048,
        determined: 3_048,
        different: 0,
        ambiguous: 0,
        earlyAreas: 6,
        missingSnapshots: [],
      },
      percpu: { equal: 3, different: 0 },
      snapshots: [
        { name: 'load', nodes: 20, nodesEqual: 20 },
        { name: 'before-work', nodes: 21, nodesEqual: 21 },
        { name: 'mid', nodes: 26, nodesEqual: 26 },
      ],
    });
  });

  it.skipIf(!existsSync(WHOLE))('is equal as a whole', () => {
    const result = replay(readTrace(WHOLE));
    expect(isSame(result)).toBe(true);
    expect(result).toMatchObject({
      ...{ placements: 83_366, determined: 83_366, percpu: { equal: 211, different: 0 } },
      endState: { areas: 166, areasEqual: 166, surplus: 0, unpurged: 2, unpurgedEqual: 2 },
    });
    expect(result.snapshots.map(({ nodes, nodesEqual }) => [nodes, nodesEqual])).toEqual([
      [20, 20],
      [21, 21],
      [26, 26],
      [77, 77],
    ]);
  });

  it.each([0, 1, 2])('has one difference for the changed answer of chunk %d', (which) => {
    const at = set.rows.flatMap(({ event }, i) => (event.type === 'percpu done' ? [i] : []))[which] as number;
    const rows = set.rows.map((row, i) =>
      i === at && row.event.type === 'percpu done'
        ? { ...row, event: { ...row.event, start: (row.event.start as number) - 2 ** 20 } }
        : row,
    );
    const result = replay({ ...set, rows });
    expect(result).toMatchObject({ different: 0, percpu: { equal: 2, different: 1 }, damage: { count: 0 } });
    expect(result.snapshots.every(({ nodes, nodesEqual }) => nodes === nodesEqual)).toBe(true);
  });
});

describe('a chunk of the start state', () => {
  const set = readTrace(pathOf('test/data/traces/x86-1cpu'));

  it('is not older than the recording if a row gives one of its size at an address that the start state lacks', () => {
    const at = set.rows.findIndex(({ event }) => event.type === 'percpu done');
    const moved = (rows: Trace['rows']): Trace => ({ ...set, rows });
    expect(earlyOf(set)).toEqual({ areas: [], chunks: [] });
    const rows = set.rows.map((row, i) =>
      i === at ? { ...row, event: { ...row.event, start: 2 ** 40 } as typeof row.event } : row,
    );
    expect(earlyOf(moved(rows))?.chunks).toEqual([]);
    // Without any row for it, it is.
    const without = set.rows.filter((_row, i) => i !== at && i !== at - 1);
    expect(earlyOf(moved(without))?.chunks).toHaveLength(1);
    expect(replay(moved(without))).toMatchObject({ different: 0, percpu: { equal: 15, different: 0 } });
  });
});

describe('a stream without its folder', () => {
  it('says that early areas are missing, and does not determine what depends on them', async () => {
    const path = pathOf('test/data/traces/arm64-4k-1cpu/trace.tsv.gz');
    const { code, out } = await capture(['replay', path]);
    expect(code).toBe(1);
    expect(out.replaceAll(/\s+/g, ' ')).toContain(
      'Early areas are missing: vmallocinfo-start.txt.gz, beside the stream, names the areas from before the recording.',
    );
    const result = replay(readTrace(path));
    // Each is judged by itself. Without that, one astray placement takes 63,566 others with it.
    expect(result.different).toBeGreaterThan(0);
    expect(result.different).toBeLessThan(0.01 * result.placements);
    expect(Object.keys(result.undetermined)).toEqual([
      'since their alignment is above a page, and areas from before the recording are unknown',
    ]);
    expect(result.earlyAreas).toBeNull();
  });

  it('needs no early areas if everything is equal', async () => {
    const { code, out } = await capture(['replay', pathOf('test/data/traces/x86-1cpu/trace.tsv.gz')]);
    expect(code).toBe(0);
    expect(out).not.toContain('Early areas');
  });
});
