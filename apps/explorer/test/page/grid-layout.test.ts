import { describe, expect, test } from 'vitest';
import { cellAfter, cellAt, gridLayout } from '../../src/page/walk/grid-layout.js';

describe('the grid of a table', () => {
  test.each([
    [512, 700, 32, 16, 21],
    [512, 340, 32, 16, 10],
    [8192, 700, 128, 64, 5],
    [8192, 340, 64, 128, 5],
    [2048, 340, 64, 32, 5],
    [2, 340, 2, 1, 26],
    [1, 340, 1, 1, 26],
  ])(
    'of %i entries in %i pixels has %i columns, %i rows and a pitch of %i',
    (entries, width, columns, rows, pitch) => {
      const layout = gridLayout(entries, width);
      expect([layout.columns, layout.rows, layout.pitch]).toEqual([columns, rows, pitch]);
      expect(layout.width).toBeLessThanOrEqual(width);
    },
  );

  test('has each entry at one place', () => {
    const layout = gridLayout(512, 700);
    const cells = new Set<number | null>();
    for (let y = 3; y < layout.height; y += layout.pitch)
      for (let x = 3; x < layout.width; x += layout.pitch) cells.add(cellAt(layout, x, y));
    expect(cells.size).toBe(512);
    expect(cellAt(layout, layout.width, 0)).toBeNull();
    expect(cellAt(layout, 0, -1)).toBeNull();
  });

  test.each([
    ['ArrowRight', 511, 511],
    ['ArrowLeft', 32, 31],
    ['ArrowDown', 500, 500],
    ['ArrowDown', 5, 37],
    ['ArrowUp', 5, 5],
    ['PageDown', 5, 261],
    ['PageDown', 400, 511],
    ['Home', 77, 0],
    ['End', 77, 511],
    ['a', 77, null],
  ])('goes by %s from %i to %s', (key, from, to) => {
    expect(cellAfter(gridLayout(512, 700), 512, from, key)).toBe(to);
  });
});
