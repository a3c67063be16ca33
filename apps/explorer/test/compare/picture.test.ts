import { readFileSync } from 'node:fs';
import { compareLayout } from '@vmarea/compare';
import { configurations } from '@vmarea/x86-64';
import { beforeAll, describe, expect, test } from 'vitest';
import { AREAS_FILE } from '../../build/bundled-tables.js';
import { familyOf, type SortKey, sortedRows } from '../../src/page/compare/rows.js';
import { boxAt, spaceLayout } from '../../src/page/compare/space-layout.js';

let rows: Awaited<ReturnType<typeof compareLayout>>['rows'];
beforeAll(async () => {
  const text = readFileSync(new URL(`../../../../${AREAS_FILE}`, import.meta.url), 'utf8');
  ({ rows } = await compareLayout(text, { formats: configurations }));
});

describe('the picture of the bundled areas', () => {
  test('has each area once, in address order, and none over another', () => {
    for (const row of rows)
      for (const scale of ['true', 'magnified'] as const) {
        const { boxes, start, end } = spaceLayout(row.places, scale);
        expect(boxes.length).toBe(row.areas.placed);
        expect(new Set(boxes.map(({ place }) => place)).size).toBe(boxes.length);
        for (const [i, { left, width, place }] of boxes.entries()) {
          const next = boxes[i + 1];
          if (next !== undefined) {
            expect(place.address < next.place.address).toBe(true);
            expect(left + width).toBeLessThanOrEqual(next.left + 1e-9);
          }
          if (scale === 'true')
            expect(left).toBeCloseTo(Number(place.address - start) / Number(end - start), 9);
        }
        expect((boxes.at(-1)?.left ?? 0) + (boxes.at(-1)?.width ?? 0)).toBeLessThanOrEqual(1 + 1e-9);
      }
  });

  test('finds the area at a place, and the nearest one beside it', () => {
    const layout = spaceLayout(rows[0]?.places ?? [], 'true');
    for (const [i, { left, width }] of layout.boxes.entries())
      expect(boxAt(layout, left + width / 2, 0)).toBe(i);
    expect(boxAt(layout, 1.5, 0.001)).toBeNull();
    expect(boxAt(spaceLayout([], 'true'), 0.5, 1)).toBeNull();
  });
});

test.each<[SortKey]>([['tables'], ['rounding'], ['both'], ['walk'], ['configuration'], ['leafPolicy']])(
  'rows are sorted by %s, up and down',
  (key) => {
    const values = sortedRows(rows, key, false).map((one) =>
      key === 'configuration' || key === 'leafPolicy' ? one.row[key] : one[key],
    );
    const sorted = [...values].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    expect(values).toEqual(sorted);
    const down = sortedRows(rows, key, true).map((one) =>
      key === 'configuration' || key === 'leafPolicy' ? one.row[key] : one[key],
    );
    expect(down).toEqual([...sorted].reverse());
  },
);

test('a format belongs to a family', () => {
  expect(['x86-64-la57', 'arm64-16k-47', 'riscv64-sv39'].map(familyOf)).toEqual(['x86', 'arm64', 'riscv64']);
});
