import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Area } from '../../src/area/area.js';
import { VmapAreas } from '../../src/area/vmap-areas.js';
import type { VmError } from '../../src/errors.js';

const PAGE = 0x1000n;
const START = 0xffffc90000000000n;
const PAGES = 400;

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('reserve' as const),
      pages: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 300 })),
      align: fc.integer({ min: 0, max: 6 }),
      guard: fc.integer({ min: 0, max: 1 }),
      ioremap: fc.boolean(),
      cpu: fc.nat(2),
      narrow: fc.boolean(),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('free' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'purge' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'shrink' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('percpu' as const), size: fc.integer({ min: 1, max: 16 }) }),
  },
);

test('each page of the window is exactly one of free, live, waiting for a purge, or in a pool', () => {
  const met = { refused: 0, flushed: 0, pooled: 0 };
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 3 }),
      fc.array(step, { minLength: 60, maxLength: 120 }),
      (cpus, steps) => {
        const freed = new Set<bigint>();
        const window = { start: START, end: START + BigInt(PAGES) * PAGE };
        const areas = new VmapAreas({
          ...{ window, cpus, pageShift: 12, ioremapMaxOrder: 18 },
          sink: {
            flush(va, bytes) {
              met.flushed++;
              for (const address of freed) expect(address >= va && address < va + bytes).toBe(true);
              freed.clear();
            },
          },
        });
        const live: Area[] = [];
        for (const one of steps) {
          if (one.kind === 'free') {
            const [gone] = live.splice(one.which % (live.length || 1), 1);
            if (gone === undefined) continue;
            for (let page = 0n; page < gone.bytes; page += PAGE) freed.add(gone.address + page);
            areas.free(gone);
          } else if (one.kind === 'purge') areas.purge();
          else if (one.kind === 'shrink') areas.shrink();
          else {
            try {
              const made =
                one.kind === 'percpu'
                  ? areas.reservePercpu([0, one.size * 0x2000], [one.size * 0x1000, one.size * 0x1000], PAGE)
                  : [
                      areas.reserve(BigInt(one.pages) * PAGE, {
                        align: PAGE << BigInt(one.align),
                        guardBytes: one.guard * 0x1000,
                        ioremap: one.ioremap,
                        cpu: one.cpu % cpus,
                        ...(one.narrow
                          ? { window: { start: START + 50n * PAGE, end: START + 250n * PAGE } }
                          : {}),
                      }),
                    ];
              for (const area of made) {
                // Nothing that waits is given out before its flush.
                expect([...freed].some((at) => at >= area.address && at < area.address + area.bytes)).toBe(
                  false,
                );
                live.push(area);
              }
            } catch (error) {
              expect((error as VmError).code).toBe('ENOMEM');
              met.refused++;
            }
          }
          if (areas.stats().pooledRanges > 0) met.pooled++;
          const { busyBytes, lazyBytes, pooledBytes, freeBytes } = areas.stats();
          expect(busyBytes + lazyBytes + pooledBytes + freeBytes).toBe(BigInt(PAGES) * PAGE);
          const sorted = [...areas];
          expect(sorted).toHaveLength(live.length);
          let end = START;
          const wrong = sorted.filter((area) => {
            const isApart = area.address >= end;
            end = area.address + area.bytes + BigInt(area.guardBytes);
            return !isApart || areas.find(area.address) !== area || areas.find(end - 1n) !== area;
          });
          expect(wrong).toEqual([]);
          expect(end).toBeLessThanOrEqual(window.end);
        }
        for (const area of live) areas.free(area);
        areas.purge();
        areas.shrink();
        expect(areas.stats()).toMatchObject({ areas: 0, freeRanges: 1, freeBytes: BigInt(PAGES) * PAGE });
      },
    ),
    { numRuns: 80, seed: 4 },
  );
  expect(met.refused).toBeGreaterThan(50);
  expect(met.flushed).toBeGreaterThan(50);
  expect(met.pooled).toBeGreaterThan(100);
});
