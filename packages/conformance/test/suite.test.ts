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

test('the code of docs/write-a-format.md is the file that is tested here', () => {
  const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
  const blocks = [...read('../../../docs/write-a-format.md').matchAll(/^```ts\n(.*?)^```$/gms)].map(
    ([, one]) => one,
  );
  expect(blocks.join('\n')).toBe(read('./kestrel.ts'));
});

test('what docs/write-a-format.md tells of the manual is what is told here', () => {
  const text = readFileSync(new URL('../../../docs/write-a-format.md', import.meta.url), 'utf8');
  const [, literal] = /^const manual = (\{\n.*?^\});$/ms.exec(text) ?? [];
  expect(runInNewContext(`(${literal})`)).toEqual(manual);
});

/** The ids of the cases that fail, and of all. */
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

describe('a fault of a format is seen', () => {
  test.each(FAULTS)('%s: by %s', (_what, group, broken) => {
    const { failed, messages } = outcome({ ...kestrel, ...broken });
    expect(failed.filter((id) => id.startsWith(`broken:${group}:`))).not.toEqual([]);
    for (const [i, message] of messages.entries()) expect(message).toContain(failed[i]);
  });

  test('and the format without one has none', () => {
    expect(outcome({ ...kestrel }).failed).toEqual([]);
    expect(outcome({ ...kestrel, ...barring }).failed).toEqual([]);
  });

  test('without what the manual says there are fewer cases, and none fails', () => {
    const { failed, all } = outcome(kestrel, { manual: {} });
    expect(failed).toEqual([]);
    expect(all.length).toBeLessThan(outcome(kestrel).all.length);
    expect(all.some((id) => id.startsWith('broken:breaks:'))).toBe(false);
  });
});

describe('cases', () => {
  test('have ids of their own, and run alone', () => {
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

  test('that are skipped are named with the reason', () => {
    const { all } = outcome(kestrel, { skip: { random: 'too slow here' } });
    expect(all).toContain('broken:random: skipped, too slow here');
    expect(all.filter((id) => id.startsWith('broken:random:'))).toHaveLength(1);
  });

  test('that do not exist are refused', () => {
    expect(() => outcome(kestrel, { skip: { randm: 'x' } })).toThrow(
      /skip names the group randm; there are protections,/,
    );
    expect(() => outcome(kestrel, { only: 'other:random' })).toThrow('only other:random is no case');
  });

  test('of one group run by themselves', () => {
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

  test('differ by seed, and are the same for the same seed', () => {
    const story = (seed: number): string => {
      const broken = { ...kestrel, relevel: (w: Words) => without(w, 0x20n), change: (w: Words) => w };
      return outcome(broken, { seed, only: 'broken:random:' }).messages.join();
    };
    expect(story(1)).toBe(story(1));
    expect(story(2)).not.toBe(story(1));
  });
});
