import { arm64 } from '@vmarea/arm64';
import { type Invalidation, type PageTableFormat, protection, VmError } from '@vmarea/core';
import { type TlbDescription, TlbModel, walkSource } from '@vmarea/mmu';
import { riscv64 } from '@vmarea/riscv64';
import { machine } from '@vmarea/testkit';
import { x8664 } from '@vmarea/x86-64';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import type { PlainDoom } from './support/plain-entry.js';
import { PlainModel } from './support/plain-model.js';
import { descriptions, firstMaps, PLACES, type Step, steps } from './support/random-program.js';

/*
 * TlbModel against a plain model in lists and bigints (support/plain-model.ts), which walks with `table.walk`: after each access both
 * must name the same level, and at the end have the same counters. Tables change all the time. The engine tells a sink of
 * each change, and the sink tells both models: no translation is stale.
 */

const RUNS = 120 * Number(process.env.VMAREA_RUNS ?? 1);
const TOP = 1n << 64n;

/** How a sink drops here: all address spaces, since all of them use the one table. */
const EVERY_ASID: Invalidation = {
  ...{ name: 'every ASID', addresses: 'range', asids: 'all', globals: true, tables: 'addresses' },
  broadcast: false,
};

const formats: readonly (readonly [PageTableFormat, bigint, readonly (readonly number[] | 'all')[]])[] = [
  [
    x8664() as unknown as PageTableFormat,
    0x7f00_0000_0000n,
    ['all', [12], [12, 21], [21], [12, 21, 30], [30]],
  ],
  [
    arm64({ granule: 4, vaBits: 48, half: 'ttbr0' }) as unknown as PageTableFormat,
    0x4000_0000n,
    ['all', [12, 16, 21], [12, 14, 16, 21, 29], [12, 16], [16, 25]],
  ],
  [
    arm64({ granule: 16, vaBits: 47 }) as unknown as PageTableFormat,
    TOP - 2n ** 46n,
    ['all', [14, 25], [12, 16], [14, 21, 25], [12]],
  ],
  [
    riscv64({ mode: 'sv39' }) as unknown as PageTableFormat,
    TOP - 2n ** 37n,
    ['all', [12, 16, 21], [12], [16], [12, 30]],
  ],
];

const met = new Map<string, number>();
const note = (what: string, count = 1) => met.set(what, (met.get(what) ?? 0) + count);

/** Runs a program on both models. */
class Pair {
  readonly model: TlbModel;
  readonly plain: PlainModel;
  readonly #parts;
  readonly #base: bigint;

  constructor(format: PageTableFormat, base: bigint, description: TlbDescription) {
    this.#base = base;
    this.#parts = machine(format, 256, 0n, {
      flush: (va, bytes, leafShift, tablesFreed, asid) => {
        this.model.flush(va, bytes, leafShift, tablesFreed, asid);
        this.plain.drop({
          range: { start: va, end: va + bytes },
          asid: null,
          globals: true,
          tables: 'addresses',
        });
        note('flushes');
      },
    });
    this.model = new TlbModel(description, walkSource(this.#parts.table), { flushWith: EVERY_ASID });
    this.plain = new PlainModel(description, this.#parts.table);
  }

  run(step: Step): void {
    if (step.op === 'access') {
      for (let i = 0; i < step.times * step.rounds; i++) this.#access(step, i % step.times);
    } else if (step.op === 'asid') {
      this.model.asid = step.asid;
      this.plain.asid = step.asid;
    } else if (step.op === 'invalidate') this.#invalidate(step);
    else this.#change(step);
  }

  #access({ kind, place }: Extract<Step, { op: 'access' }>, i: number): void {
    const va = this.#va(place) + BigInt(i * this.#parts.pageBytes + ((place * 977) % this.#parts.pageBytes));
    const served = this.model.access(kind, Number(va >> 32n), Number(va & 0xffff_ffffn));
    expect([va.toString(16), served]).toEqual([va.toString(16), this.plain.access(kind, va)]);
    note(`served by ${served}`);
  }

  #invalidate({ invalidation, place, pages, asid }: Extract<Step, { op: 'invalidate' }>): void {
    const va = this.#va(place);
    const bytes = BigInt(pages * this.#parts.pageBytes);
    const ranges = {
      page: { start: va, end: va + 1n },
      range: { start: va, end: va + bytes },
      all: { start: 0n, end: TOP },
    };
    const doom: PlainDoom = {
      ...{ globals: invalidation.globals, tables: invalidation.tables },
      range: ranges[invalidation.addresses],
      asid: { given: asid, current: this.plain.asid, all: null }[invalidation.asids],
    };
    const before = this.model.stats.entriesDropped;
    this.model.invalidate(invalidation, { va, bytes, asid });
    this.plain.drop(doom);
    note('entries dropped', this.model.stats.entriesDropped - before);
  }

  #change(step: Extract<Step, { op: 'map' | 'unmap' | 'protect' }>): void {
    const { table, pageBytes } = this.#parts;
    const va = this.#va(step.place);
    try {
      if (step.op === 'map') this.#map(step, va);
      else if (step.op === 'protect')
        table.protect(va, step.pages * pageBytes, { write: false }, { split: true });
      else table.unmap(va, step.pages * pageBytes, { split: true, reclaim: step.place % 2 === 0 });
      note(step.op);
    } catch (error) {
      if (!(error instanceof VmError)) throw error;
      note(`${step.op} refused: ${error.code}`);
    }
  }

  /** Pages with frames in order or not; or a large leaf, or as many pages as a long run has. */
  #map({ place, pages, size, isLinear, isGlobal }: Extract<Step, { op: 'map' }>, va: bigint): void {
    const { table, format } = this.#parts;
    const rights = protection({ write: true, execute: true, global: isGlobal });
    if (size === 0 || !isLinear) {
      const frameOf = (i: number) => 2 ** 20 + (isLinear ? place * 64 + i : (i * 7919 + place) % 4093);
      table.map(
        va,
        Array.from({ length: pages }, (_, i) => frameOf(i)),
        rights,
      );
      return;
    }
    const shift = BigInt(format.levels.at(size === 1 ? -2 : -3)?.shift as number);
    const start = (va >> shift) << shift;
    const pa = (BigInt(place) << shift) + (1n << 38n);
    table.mapRange(start, pa, size === 3 ? BigInt(32 * this.#parts.pageBytes) : 1n << shift, rights);
  }

  /** Places are near each other in three parts of the address space, on and beside the borders of large leaves. */
  #va(place: number): bigint {
    const { pageBytes, format } = this.#parts;
    const part = BigInt(Math.floor(place / (PLACES / 3))) << BigInt(format.levels[1]?.shift as number);
    return this.#base + part + BigInt((place % (PLACES / 3)) * 13 * pageBytes);
  }

  check(): void {
    const { walks, tableReads, walkCaches } = this.model.stats;
    const hits = Object.fromEntries(walkCaches.map(({ name, hits: count }) => [name, count]));
    const plainHits = Object.fromEntries(
      walkCaches.map(({ name }) => [name, this.plain.walkCacheHits.get(name) ?? 0]),
    );
    expect({ walks, tableReads, hits }).toEqual({
      ...{ walks: this.plain.walks, tableReads: this.plain.reads },
      hits: plainHits,
    });
    note(
      'walk-cache hits',
      Object.values(hits).reduce((sum, one) => sum + one, 0),
    );
  }
}

describe('TlbModel serves each access from where a plain model does', () => {
  afterAll(() => {
    if (process.env.VMAREA_SHOW !== undefined) console.log(met);
  });

  test.each(formats.map(([format, base, sizes]) => [format.name, format, base, sizes] as const))(
    'on %s, whatever its arrays, and whatever changes',
    (_, format, base, sizes) => {
      fc.assert(
        fc.property(descriptions(sizes), firstMaps, steps, (description, maps, program) => {
          const pair = new Pair(format, base, description);
          for (const step of [...maps, ...program]) pair.run(step);
          pair.check();
        }),
        { numRuns: RUNS / formats.length },
      );
    },
  );
});
