import { beforeAll, describe, expect, test } from 'vitest';
import { compareLayout } from '../../src/compare-layout.js';
import { boxAt, spaceLayout } from '../../src/layout/space-layout.js';
import { configurationOf, textOf, X86_GUEST } from '../support/files.js';

let rows: Awaited<ReturnType<typeof compareLayout>>['rows'];
beforeAll(async () => {
  ({ rows } = await compareLayout(textOf(X86_GUEST), {
    formats: ['x86-64', 'arm64-64k-48'].map(configurationOf),
  }));
});

describe("the picture of a guest's areas", () => {
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

test('magnified, each doubling of the size adds the width of a page', () => {
  const [row] = rows;
  const { boxes } = spaceLayout(row?.places ?? [], 'magnified');
  const page = boxes.find(({ place }) => place.bytes === 4096)?.width ?? 0;
  expect(page).toBeGreaterThan(0);
  for (const { place, width } of boxes)
    expect(width / page).toBeCloseTo(1 + Math.log2(place.bytes / 4096), 9);
});
