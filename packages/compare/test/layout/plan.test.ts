import type { Configuration } from '@vmarea/core';
import { wide } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import type { AreaRequest, Content, Kind } from '../../src/areas/workload.js';
import type { LeafPolicy } from '../../src/layout/kernel.js';
import { planLayout as plan } from '../../src/layout/plan.js';

const KiB = 1024;
const MiB = 1024 * KiB;
const START = wide.linux.window.start;

function area(kind: Kind, bytes: number, content: Content = { type: 'nothing' }, guard = true): AreaRequest {
  return { line: 1, kind, caller: 'f', bytes, guard, content, unknownContent: false };
}

const frames = (bytes: number): Content => ({ type: 'frames', bytes });
const range = (physical: bigint, bytes: number): Content => ({ type: 'range', physical, bytes });

function planned(
  requests: readonly AreaRequest[],
  policy: LeafPolicy = 'base',
  configuration: Configuration = wide,
) {
  return plan(requests, configuration, policy);
}

describe('a plan', () => {
  test('rounds sizes up to the target’s pages and keeps the guard', () => {
    const { areas, pages } = planned([
      area('vmalloc', 16 * KiB, frames(16 * KiB)),
      area('vmalloc', 68 * KiB, frames(68 * KiB)),
      area('per-cpu', 64 * KiB, { type: 'nothing' }, false),
      area('vmalloc', 4 * KiB, frames(4 * KiB)),
    ]);
    expect(
      areas.map(({ area: { address, bytes, guardBytes } }) => [address - START, bytes, guardBytes]),
    ).toEqual([
      [0n, 0x10000n, 0x10000],
      [0x20000n, 0x20000n, 0x10000],
      [0x50000n, 0x10000n, 0],
      [0x60000n, 0x10000n, 0x10000],
    ]);
    expect(areas.map(({ mapping }) => mapping?.pages)).toEqual([1, 2, undefined, 1]);
    expect(pages).toBe(4);
  });

  test('rounds a physical range to whole pages, as ioremap does', () => {
    const { areas } = planned([area('ioremap', 8 * KiB, range(0x1000f000n, 8 * KiB))]);
    expect(areas[0]?.mapping).toMatchObject({
      pages: 2,
      source: { type: 'range', physical: 0x10000000n, firstFrame: 0x1000 },
    });
    expect(areas[0]?.area.bytes).toBe(0x20000n);
    expect(areas[0]?.mapping?.protection).toBe(wide.linux.protections.IOREMAP);
  });

  test('aligns ioremap areas to their size, up to the limit, whatever the leaf policy', () => {
    const requests = [
      area('vmalloc', 64 * KiB, frames(64 * KiB)),
      area('ioremap', 192 * KiB, range(0n, 192 * KiB)),
      area('ioremap', 1024 * MiB, range(0n, 1024 * MiB)),
    ];
    for (const policy of ['base', 'huge'] as const) {
      const { areas } = planned(requests, policy);
      // 192 KiB align to 256 KiB; 1 GiB would align to itself, the policy stops at 512 MiB.
      expect(areas.map((one) => one.area.address - START)).toEqual([0n, 0x40000n, 0x20000000n]);
    }
  });

  test('splits large vmalloc areas into blocks of the largest leaf that they fill, and aligns them', () => {
    const requests = [
      area('vmalloc', 64 * KiB, frames(64 * KiB)),
      area('vmalloc', 512 * MiB - 64 * KiB, frames(512 * MiB - 64 * KiB)),
      area('vmalloc', 1100 * MiB, frames(1100 * MiB)),
      area('vmap', 512 * MiB, frames(512 * MiB)),
    ];
    const huge = planned(requests, 'huge').areas;
    expect(huge.map(({ mapping }) => mapping?.source)).toEqual([
      { type: 'frames', order: 0, chunks: 0 },
      { type: 'frames', order: 0, chunks: 0 },
      { type: 'frames', order: 13, chunks: 2 },
      { type: 'frames', order: 0, chunks: 0 },
    ]);
    expect((huge[2]?.area.address ?? 0n) % (1n << 29n)).toBe(0n);
    expect(huge[2]?.mapping).toMatchObject({ pages: 17600 });
    const base = planned(requests, 'base').areas;
    expect(base.map(({ mapping }) => mapping?.source)).toEqual(
      Array(4).fill({ type: 'frames', order: 0, chunks: 0 }),
    );
  });

  test('leaves out areas that do not fit, and maps nothing where the format lacks the physical addresses', () => {
    const low = range(2n ** 40n - 64n * 1024n, 64 * KiB);
    const high = range(2n ** 40n - 4096n, 64 * KiB);
    const requests = [
      area('ioremap', 64 * KiB, low),
      area('ioremap', 64 * KiB, high),
      area('sparse', 2 ** 46),
    ];
    const { areas, doesNotFit, unreachable, pages } = planned(requests);
    expect(areas.map(({ request, mapping }) => [request, mapping?.pages])).toEqual([
      [requests[0], 1],
      [requests[1], undefined],
    ]);
    expect(doesNotFit).toEqual([requests[2]]);
    expect(unreachable).toEqual([requests[1]]);
    expect(pages).toBe(1);
  });

  test('counts the tables that base pages need, and a root of several frames', () => {
    const requests = [
      area('sparse', 512 * MiB),
      area('vmalloc', 64 * KiB, frames(64 * KiB)),
      area('vmalloc', 512 * MiB, frames(512 * MiB)),
      area('vmalloc', 64 * KiB, frames(64 * KiB)),
    ];
    // Root, one table below it, and 64 KiB + 512 MiB + 64 KiB with guards lie across two last-level tables.
    expect(planned(requests).tableFrames).toBe(1 + 1 + 2);
    expect(planned([area('sparse', 512 * MiB)]).tableFrames).toBe(1);
    const [root, ...rest] = wide.format.levels;
    if (root === undefined) throw new Error('no root');
    const range = { bits: 57, upper: 'ones' } as const;
    const deep = { ...wide.format, range, levels: [{ ...root, bits: 15 }, ...rest] };
    expect(planned(requests, 'base', { ...wide, format: deep }).tableFrames).toBe(4 + 1 + 2);
  });
});
