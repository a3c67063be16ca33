import { readFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';
import type { PageTableFormat, Words } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { runGroup, runs, type SuiteOptions, suite } from '../src/index.js';
import { configurations, kestrel } from './kestrel.js';
import { barring, FAULTS, manual, without } from './planted.js';

const [configuration] = configurations;
if (configuration === undefined) throw new Error('kestrel has no configuration');

suite(test, () => configuration, { manual });

test('docs/write-a-format.md shows the code that is tested here', () => {
  const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
  const blocks = [...read('../../../docs/write-a-format.md').matchAll(/^```ts\n(.*?)^```$/gms)].map(
    ([, one]) => one,
  );
  expect(blocks.join('\n')).toBe(read('./kestrel.ts'));
});

test('docs/write-a-format.md shows the manual that is used here', () => {
  const text = readFileSync(new URL('../../../docs/write-a-format.md', import.meta.url), 'utf8');
  const [, literal] = /^const manual = (\{\n.*?^\});$/ms.exec(text) ?? [];
  expect(runInNewContext(`(${literal})`)).toEqual(manual);
});

/** The ids and messages of the cases that fail, and the ids of all. */
function outcome(
  format: PageTableFormat,
  options: SuiteOptions = {},
): { failed: string[]; all: string[]; messages: string[] } {
  const result = { failed: [] as string[], all: [] as string[], messages: [] as string[] };
  suite(
    (name, run) => {
      result.all.push(name);
      try {
        run();
      } catch (error) {
        result.failed.push(name);
        result.messages.push((error as Error).message);
      }
    },
    () => ({ ...configuration, name: 'broken', format }),
    { runs: 3, manual, ...options },
  );
  return result;
}

describe('the suite', () => {
  test.each(FAULTS)('finds a fault: %s (%s)', (_what, group, broken) => {
    // The other groups find some of the faults too, and would take most of the time.
    const { failed, messages } = outcome({ ...kestrel, ...broken }, { only: `broken:${group}:` });
    expect(failed.filter((id) => id.startsWith(`broken:${group}:`))).not.toEqual([]);
    for (const [i, message] of messages.entries()) expect(message).toContain(failed[i]);
  });

  test('finds none in the format without a fault', () => {
    expect(outcome({ ...kestrel }).failed).toEqual([]);
    expect(outcome({ ...kestrel, ...barring }).failed).toEqual([]);
  });

  test('has fewer cases without a manual, and none fails', () => {
    const { failed, all } = outcome(kestrel, { manual: {} });
    expect(failed).toEqual([]);
    expect(all.length).toBeLessThan(outcome(kestrel).all.length);
    expect(all.some((id) => id.startsWith('broken:breaks:'))).toBe(false);
  });
});

describe('a case', () => {
  test('has an id of its own, and runs alone by it', () => {
    const { all } = outcome(kestrel);
    expect(new Set(all).size).toBe(all.length);
    expect(all.length).toBeGreaterThan(60);
    for (const only of ['broken:protections:changes:level=PMD', 'broken:random:run=2']) {
      expect(outcome(kestrel, { only }).all).toEqual([only]);
    }
    expect(
      outcome(kestrel, { only: 'broken:range:' }).all.every((id) => id.startsWith('broken:range:')),
    ).toBe(true);
  });

  test('of a skipped group is replaced by a name with the reason', () => {
    const { all } = outcome(kestrel, { skip: { random: 'too slow here' } });
    expect(all).toContain('broken:random: skipped, too slow here');
    expect(all.filter((id) => id.startsWith('broken:random:'))).toHaveLength(1);
  });

  test('or group that does not exist is refused', () => {
    expect(() => outcome(kestrel, { skip: { randm: 'x' } })).toThrow(
      /skip names the group randm; there are protections,/,
    );
    expect(() => outcome(kestrel, { only: 'other:random' })).toThrow('only other:random is no case');
  });

  test('runs with its group by runGroup', () => {
    const names: string[] = [];
    expect(
      runGroup(
        (name) => void names.push(name),
        () => configuration,
        runs,
      ),
    ).toBe(0);
    expect(names).toEqual([]);
  });

  test('of random calls depends on the seed alone', () => {
    const story = (seed: number): string => {
      const broken = { ...kestrel, relevel: (w: Words) => without(w, 0x20n), change: (w: Words) => w };
      return outcome(broken, { seed, only: 'broken:random:' }).messages.join();
    };
    expect(story(1)).toBe(story(1));
    expect(story(2)).not.toBe(story(1));
  });
});
