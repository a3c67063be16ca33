import { arm64 } from '@vmarea/arm64';
import type { PageTableFormat } from '@vmarea/core';
import {
  APPLE_M1_E,
  APPLE_M1_P,
  ORYON,
  type TlbDescription,
  TlbModel,
  type TlbUnitStats,
  type WalkSource,
  walkSource,
} from '@vmarea/mmu';
import { riscv64 } from '@vmarea/riscv64';
import { x8664 } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';
import { tableWith, touch } from './support/small.js';

/*
 * A chain that touches one line in every k-th page stops fitting at `entries / k` pages until k is the number of sets. Then it stays at
 * the number of ways. The numbers are those that were measured (jiegec, apple-m1.md and qualcomm-oryon.md).
 */

const half = { granule: 4, vaBits: 48, half: 'ttbr0' } as const;
const formats: readonly PageTableFormat[] = [
  arm64({ ...half, granule: 16, vaBits: 47 }),
  arm64(half),
  arm64({ ...half, granule: 64 }),
  x8664(),
  riscv64({ mode: 'sv39' }),
].map((format) => format as unknown as PageTableFormat);

const START = 0x10_0000_0000n;

/** The most pages of a stride that a TLB holds: the chain that is one page longer misses. */
function knee(description: TlbDescription, level: 1 | 2, format: PageTableFormat, stride: number): number {
  const pageBytes = 2 ** format.pageShift;
  const all = Array.from({ length: 200 }, (_, i) => START + BigInt(i * stride * pageBytes));
  const tables = Math.ceil((all.length * stride * 8) / pageBytes) + 8;
  const source = walkSource(tableWith(format, all, tables));
  let fitting = 1;
  let tooMany = all.length;
  expect(fits(description, level, source, all)).toBe(false);
  while (tooMany - fitting > 1) {
    const pages = (fitting + tooMany) >> 1;
    if (fits(description, level, source, all.slice(0, pages))) fitting = pages;
    else tooMany = pages;
  }
  return fitting;
}

/** Whether a chain hits always, once it has been walked through. */
function fits(
  description: TlbDescription,
  level: 1 | 2,
  source: WalkSource,
  chain: readonly bigint[],
): boolean {
  const model = new TlbModel(description, source);
  for (const va of chain) touch(model, va);
  model.resetStats();
  for (let round = 0; round < 3; round++) for (const va of chain) touch(model, va);
  if (level === 2) return model.stats.walks === 0;
  const serving = (unit: TlbUnitStats) => unit.level === 1 && unit.hits + unit.misses > 0;
  return model.stats.tlbs.find(serving)?.misses === 0;
}

describe.each(formats.map((format) => [format.name, format] as const))('on %s', (_, format) => {
  const ofL1 = (description: TlbDescription, strides: readonly number[]) =>
    strides.map((stride) => knee(description, 1, format, stride));

  test('a chain leaves the L1 of Firestorm at 160 pages, and at stride 32 at its 5 ways', () => {
    expect(ofL1(APPLE_M1_P, [1, 2, 4, 8, 16, 32, 64])).toEqual([160, 80, 40, 20, 10, 5, 5]);
  });

  test('a chain leaves the L2 of Firestorm at 3,072 pages over the stride, and at stride 256 at its 12 ways', () => {
    const strides = [32, 64, 128, 256, 512];
    expect(strides.map((stride) => knee(APPLE_M1_P, 2, format, stride))).toEqual([96, 48, 24, 12, 12]);
  });

  test('a chain leaves the L1 of Icestorm at 128 pages, and at stride 32 at its 4 ways', () => {
    expect(ofL1(APPLE_M1_E, [1, 2, 4, 8, 16, 32, 64])).toEqual([128, 64, 32, 16, 8, 4, 4]);
  });
});

test('a chain of stride 32 leaves the L1 of Oryon at its 7 ways, with its pages of 4 and 64 KiB', () => {
  const own = formats.filter(({ pageShift }) => pageShift !== 14);
  expect(own.map((format) => knee(ORYON, 1, format, 32))).toEqual([7, 7, 7, 7]);
});
