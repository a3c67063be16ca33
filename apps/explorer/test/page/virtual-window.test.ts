import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { scrollTo, virtualWindow } from '../../src/page/shared/virtual-window.js';

const VIEW = 400;
const ROW = 28;

describe('the window of a long list', () => {
  test('draws the rows that are seen, with some beyond the edges', () => {
    expect(virtualWindow(1000, ROW, VIEW, 2800)).toEqual({
      height: 28_000,
      first: 94,
      count: 28,
      offset: 94 * ROW,
    });
    expect(virtualWindow(3, ROW, VIEW, 0)).toEqual({ height: 84, first: 0, count: 3, offset: 0 });
    expect(virtualWindow(0, ROW, VIEW, 50)).toEqual({ height: 0, first: 0, count: 0, offset: 0 });
  });

  test('reaches the last of a million rows, though the list is no taller than a browser allows', () => {
    const rows = 1_000_000;
    const { height } = virtualWindow(rows, ROW, VIEW, 0);
    expect(height).toBe(8_000_000);
    const end = virtualWindow(rows, ROW, VIEW, height - VIEW);
    expect(end.first + end.count).toBe(rows);
    expect(end.offset + end.count * ROW).toBeCloseTo(height, 3);
  });

  test('leaves no gap in the view, wherever it is scrolled to', () => {
    fc.assert(
      fc.property(fc.nat(3_000_000), fc.double({ min: -10, max: 1.1, noNaN: true }), (rows, share) => {
        const { height } = virtualWindow(rows, ROW, VIEW, 0);
        const top = Math.min(Math.max(0, share * height), Math.max(0, height - VIEW));
        const { first, count, offset } = virtualWindow(rows, ROW, VIEW, top);
        expect(offset).toBeLessThanOrEqual(top + 0.01);
        expect(offset + count * ROW).toBeGreaterThanOrEqual(Math.min(height, top + VIEW) - 0.01);
        expect(first + count).toBeLessThanOrEqual(rows);
      }),
    );
  });

  test('shows a row that is scrolled to', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3_000_000 }), fc.nat(), (rows, at) => {
        const row = at % rows;
        const { first, count } = virtualWindow(rows, ROW, VIEW, scrollTo(row, rows, ROW, VIEW));
        expect(first).toBeLessThanOrEqual(row);
        expect(first + count).toBeGreaterThan(row);
      }),
    );
  });
});
