import fc from 'fast-check';
import { expect, test } from 'vitest';
import { areaBoxes, kindOf } from '../../src/page/try/area-picture.js';

const area = (start: number, pages: number, text = 'vmalloc') => ({
  start: BigInt(start) * 4096n,
  end: BigInt(start + pages) * 4096n,
  text,
  isWaiting: false,
});

test('areas and the gaps between them fill the picture in address order', () => {
  const sizes = fc.array(fc.tuple(fc.nat(10), fc.integer({ min: 1, max: 2 ** 30 })), {
    minLength: 1,
    maxLength: 40,
  });
  fc.assert(
    fc.property(sizes, (list) => {
      let at = 100;
      const areas = list.map(([gap, pages]) => {
        const one = area(at + gap, pages);
        at += gap + pages;
        return one;
      });
      const boxes = areaBoxes([...areas].reverse());
      expect(boxes.filter((box) => box.area !== null).map((box) => box.area)).toEqual(areas);
      let left = 0;
      for (const box of boxes) {
        expect(box.left).toBeCloseTo(left);
        expect(box.width).toBeGreaterThan(0.001);
        left += box.width;
      }
      expect(left).toBeCloseTo(1);
      expect(boxes.reduce((sum, { bytes }) => sum + bytes, 0n)).toBe(
        (areas.at(-1)?.end ?? 0n) - (areas[0]?.start ?? 0n),
      );
    }),
  );
  expect(areaBoxes([])).toEqual([]);
});

test('an area is what /proc/vmallocinfo says', () => {
  expect(kindOf(area(0, 1, 'fork_init+0x5d/0x160 pages=3 vmalloc N0=3'))).toBe('vmalloc');
  expect(kindOf(area(0, 1, 'hpet_enable+0x2f/0x320 phys=0x00000000fed00000 ioremap'))).toBe('ioremap');
  expect(kindOf(area(0, 1, ''))).toBe('reserved');
  expect(kindOf({ ...area(0, 1, 'unpurged vm_area'), isWaiting: true })).toBe('waits for a purge');
});
