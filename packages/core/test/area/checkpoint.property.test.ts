import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Area } from '../../src/area/area.js';
import { captureAreas, captureBlocks, restoreAreas, restoreBlocks } from '../../src/area/checkpoint.js';
import { VmapAreas } from '../../src/area/vmap-areas.js';
import { VmapBlocks } from '../../src/area/vmap-blocks.js';

const PAGE = 4096n;
const WINDOW = { start: 0xffff_c900_0000_0000n, end: 0xffff_c900_0000_0000n + 3000n * PAGE };

/** One call, as numbers that say what to do with what is there. */
type Step = readonly [kind: number, a: number, b: number];

/** Areas and blocks of one machine, and the calls that a list of numbers makes on them. */
class Machine {
  readonly areas: VmapAreas;
  readonly blocks: VmapBlocks;
  readonly cpus: number;
  /** A flush throws while it is set. */
  mayThrow = false;
  live: Area[] = [];
  short: (readonly [bigint, number])[] = [];

  constructor(cpus: number) {
    this.cpus = cpus;
    this.areas = new VmapAreas({
      ...{ window: WINDOW, pageShift: 12, guardBytes: 4096, cpus },
      sink: {
        flush: () => {
          if (this.mayThrow) throw new Error('no flush');
        },
      },
      early: [{ address: WINDOW.start + 50n * PAGE, bytes: 3n * PAGE }],
    });
    this.blocks = new VmapBlocks({ areas: this.areas, blockPages: 128 });
  }

  /** Makes a call. Returns what came out, as text. */
  step([kind, a, b]: Step): string {
    try {
      return String(this.#call(kind, a, b));
    } catch (error) {
      return (error as Error).message;
    } finally {
      this.mayThrow = false;
    }
  }

  #call(kind: number, a: number, b: number): unknown {
    const { areas, blocks, cpus } = this;
    const pick = a % Math.max(1, this.live.length);
    if (kind < 4) {
      const align = PAGE << BigInt(b % 5);
      const area = areas.reserve(BigInt(1 + (a % 40)) * PAGE, { align, cpu: b % cpus });
      this.live.push(area);
      return area.address;
    }
    if (kind < 7) {
      const [area] = this.live.splice(pick, 1);
      this.mayThrow = b % 9 === 0;
      return area && areas[b % 4 === 0 ? 'cancel' : 'free'](area);
    }
    if (kind === 7) {
      this.mayThrow = b % 3 === 0;
      return areas.purge(b % 2 === 0 ? undefined : { start: 0n, end: PAGE });
    }
    if (kind === 8) return areas.shrink();
    if (kind === 9)
      return areas.reservePercpu([0, 16384], [4096, 8192], PAGE).map((one) => {
        this.live.push(one);
        return one.address;
      });
    if (kind < 12) {
      const pages = 1 + (a % (b % 5 === 0 ? 90 : 9));
      const address = blocks.reserve(pages, b % cpus);
      this.short.push([address, pages]);
      return address;
    }
    if (kind < 14) {
      const [one] = this.short.splice(a % Math.max(1, this.short.length), 1);
      return one && blocks.free(...one);
    }
    return blocks.unmapAliases();
  }

  /** A new machine that becomes this one, through text. */
  copy(): Machine {
    const text = JSON.stringify([captureAreas(this.areas), captureBlocks(this.blocks)]);
    const [areas, blocks] = JSON.parse(text);
    const other = new Machine(this.cpus);
    restoreAreas(other.areas, areas, (place, i) =>
      Object.freeze({ ...place, info: infoAt(this.areas, areas, i) }),
    );
    restoreBlocks(other.blocks, blocks, other.areas);
    other.live = this.live.map(({ address }) => other.areas.find(address) as Area);
    other.short = [...this.short];
    expect(JSON.stringify([captureAreas(other.areas), captureBlocks(other.blocks)])).toBe(text);
    return other;
  }
}

function infoAt(areas: VmapAreas, state: ReturnType<typeof captureAreas>, i: number): Area['info'] {
  const [start] = state.busy[i] as [number, number, number, number];
  return areas.find(BigInt(start) * PAGE)?.info ?? {};
}

const step = fc.tuple(fc.integer({ min: 0, max: 14 }), fc.nat(999), fc.nat(999));

describe('a checkpoint of areas and blocks', () => {
  test.each([1, 4])('makes further calls give the same addresses, with %i processors', (cpus) => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 120, size: 'max' }),
        fc.array(step, { minLength: 20, maxLength: 80, size: 'max' }),
        (before, after) => {
          const one = new Machine(cpus);
          for (const call of before) one.step(call);
          const two = one.copy();
          for (const call of after) expect(two.step(call)).toBe(one.step(call));
          expect(two.areas.vmallocinfo()).toBe(one.areas.vmallocinfo());
          expect(two.areas.stats()).toEqual(one.areas.stats());
        },
      ),
      { numRuns: 60 },
    );
  });

  test('replaces all that was there before', () => {
    const one = new Machine(2);
    const two = new Machine(2);
    for (let i = 0; i < 40; i++) one.step([i % 15, 7 * i, i]);
    for (let i = 0; i < 300; i++) two.step([(3 * i) % 15, 5 * i, i]);
    const state = captureAreas(one.areas);
    restoreAreas(two.areas, state, (place, i) => ({ ...place, info: infoAt(one.areas, state, i) }));
    restoreBlocks(two.blocks, captureBlocks(one.blocks), two.areas);
    expect(captureAreas(two.areas)).toEqual(state);
    expect(two.areas.vmallocinfo()).toBe(one.areas.vmallocinfo());
    expect(two.blocks.count).toBe(one.blocks.count);
  });
});
