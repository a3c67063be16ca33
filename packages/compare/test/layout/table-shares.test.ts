import { describe, expect, test } from 'vitest';
import { readAreas } from '../../src/compare-layout.js';
import type { LeafPolicy } from '../../src/layout/kernel.js';
import { type Plan, planLayout as plan } from '../../src/layout/plan.js';
import { rebuildLayout as rebuild } from '../../src/layout/rebuild.js';
import { configurationOf, textOf, X86_GUEST } from '../support/files.js';

/**
 * The share of each area, from addresses alone: each page says which tables hold it, and a table's bytes go to the areas of its pages.
 * A page in a large leaf has one table less.
 */
function model({ areas, configuration: { format }, leafPolicy }: Plan): number[] {
  const base = BigInt(format.pageShift);
  const large = BigInt(format.levels.at(-2)?.shift ?? 0);
  const perLarge = 2 ** Number(large - base);
  const tables = new Map<string, Map<number, number>>();
  areas.forEach(({ area, mapping }, index) => {
    if (mapping === null) return;
    const { source, pages } = mapping;
    for (let page = 0; page < pages; page++) {
      const va = area.address + (BigInt(page) << base);
      const block = va >> large;
      const from = Number(((block << large) - area.address) >> base);
      const adjacent =
        source.type === 'range'
          ? (source.firstFrame + from) % perLarge === 0
          : source.order > 0 && page < source.chunks * perLarge;
      const isLarge = leafPolicy === 'huge' && from >= 0 && from + perLarge <= pages && adjacent;
      const shifts = format.levels.slice(0, -1).map(({ shift }) => BigInt(shift));
      const names = [
        'root',
        ...(isLarge ? shifts.slice(0, -1) : shifts).map((shift) => `${shift}:${va >> shift}`),
      ];
      for (const name of names) {
        const users = tables.get(name) ?? new Map<number, number>();
        users.set(index, (users.get(index) ?? 0) + 1);
        tables.set(name, users);
      }
    }
  });
  const shares = areas.map(() => 0);
  for (const users of tables.values()) {
    const all = [...users.values()].reduce((sum, pages) => sum + pages, 0);
    for (const [index, pages] of users)
      shares[index] = (shares[index] as number) + (2 ** format.pageShift * pages) / all;
  }
  return shares;
}

describe('the bytes of tables belong to areas', () => {
  test.each<[string, LeafPolicy]>([
    ['x86-64', 'base'],
    ['x86-64', 'huge'],
    ['x86-64-la57', 'huge'],
    ['arm64-16k-47', 'base'],
    ['arm64-64k-48', 'huge'],
  ])('in proportion to their pages in each table: %s, %s leaves', async (name, policy) => {
    const one = plan(readAreas(textOf(X86_GUEST)).requests, configurationOf(name), policy);
    const row = await rebuild(one, { seed: 1, repeat: 1, warmUp: 0, step: async () => {} });
    const expected = model(one);
    const found = row.places.map(({ tableBytes }) => tableBytes);
    expect(found.reduce((sum, bytes) => sum + bytes, 0)).toBe(row.tables.bytes);
    // Each table is shared in whole bytes, and an area is in few that it shares.
    for (const [i, bytes] of found.entries())
      expect(Math.abs(bytes - (expected[i] as number))).toBeLessThan(12);
    const callers = row.callers.map(({ tableBytes, roundingBytes }) => tableBytes + roundingBytes);
    expect(callers).toEqual([...callers].sort((a, b) => b - a));
    expect(callers.reduce((sum, bytes) => sum + bytes, 0)).toBe(row.tables.bytes + row.rounding.bytes);
    expect(row.callers.reduce((sum, { areas }) => sum + areas, 0)).toBe(row.areas.placed);
  });
});
