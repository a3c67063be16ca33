import {
  checkTables,
  FrameAllocator,
  PageTable,
  type PageTableFormat,
  PhysicalMemory,
  protection,
  type WebAssemblyMemoryLike,
  wasmLoops,
} from '@vmarea/core';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { makeSinglePages, type SinglePages } from '../../../src/table/change/map/single-page.js';
import { writeTableEntry } from '../../../src/table/state/entries.js';
import { contextBehind } from '../../../src/table/state/registry.js';
import { FlatCursor } from '../../../src/table/walk/flat-cursor.js';
import { FlatWalk } from '../../../src/table/walk/flat-walk.js';
import { generatedCursor } from '../../../src/table/walk/generated/generated-cursor.js';
import { generatedLookup } from '../../../src/table/walk/generated/generated-lookup.js';
import { generatedWalk } from '../../../src/table/walk/generated/generated-walk.js';
import { LookupWalk } from '../../../src/table/walk/lookup-walk.js';
import { formats } from '../../formats/index.js';

/** Those whose roots translate 2^32 bytes or more, and fill a page at most: others are walked by look-ups. */
const WALKED = formats.filter(
  ({ range, levels, pageShift }) => range.bits >= 32 && (levels[0]?.bits ?? 0) <= pageShift - 3,
);
declare const WebAssembly: {
  Memory: new (o: { initial: number }) => WebAssemblyMemoryLike;
};

const RUNS = 30 * Number(process.env.VMAREA_RUNS ?? 1);
/** Frames of a bank: with a full window, with one that ends before it, and one. */
const FRAMES = [64, 61, 96] as const;
/** First frame of a bank, in banks: above 0 its tables have an offset in the window, or bits above it. */
const BASES = [0, 1, 5] as const;
const PAGE = protection({ write: true });

/** Slots of an address from the last level up, and what is wrong with it. */
interface Place {
  readonly slots: readonly number[];
  readonly wrong: number | null;
}

/** An address of the root's range, or one near it. */
const place: fc.Arbitrary<Place> = fc.record({
  slots: fc.array(fc.constantFrom(0, 1, 2, 255, 256, 511, 1023, 8191), { minLength: 5, maxLength: 5 }),
  /** Bits that a page address has not, or a bit above the range. */
  wrong: fc.option(fc.constantFrom(1, 2 ** 11, 2 ** 31), { freq: 8 }),
});

interface Machine {
  readonly table: PageTable;
  readonly memory: PhysicalMemory;
  readonly first: number;
  readonly frames: FrameAllocator;
}

function machine(format: PageTableFormat, frames: number, base: number, isWasm: boolean): Machine {
  const { pageShift } = format;
  const bytes = frames * 2 ** pageShift;
  const memory = PhysicalMemory.create({
    ...{ base: BigInt(base * frames) << BigInt(pageShift), bytes },
    ...(isWasm ? { loops: wasmLoops } : {}),
  });
  const first = base * frames;
  const allocator = new FrameAllocator(memory, { pageShift, first, frames });
  return { table: new PageTable({ format, memory, frames: allocator }), memory, first, frames: allocator };
}

/** Indices of the words that are not 0. */
function wordsInUse(words: Int32Array): number[] {
  const used: number[] = [];
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) used.push(i);
  return used;
}

/** Live counts of all tables. */
function livesOf({ table }: Machine): Int32Array | undefined {
  return contextBehind(table).records?.counts.live;
}

function bytesOf({ memory }: Machine): Buffer {
  const { words } = memory.banks[0] as { readonly words: Int32Array };
  return Buffer.from(words.buffer, words.byteOffset, words.byteLength);
}

/** Both words of an address, signed. */
function wordsOf(format: PageTableFormat, { slots, wrong }: Place): readonly [number, number] {
  const { range, levels } = format;
  let va = 0n;
  for (const [i, { shift }] of [...levels].reverse().entries())
    va |= BigInt(slots[i] as number) << BigInt(shift);
  va = BigInt.asUintN(range.bits, va);
  if (range.upper === 'ones' || (range.upper === 'sign' && ((va >> BigInt(range.bits - 1)) & 1n) === 1n))
    va |= 2n ** 64n - 2n ** BigInt(range.bits);
  const hi = Number(BigInt.asIntN(32, va >> 32n));
  const lo = Number(BigInt.asIntN(32, va));
  return wrong === null ? [hi, lo] : wrong === 2 ** 31 ? [hi ^ (1 << 30), lo] : [hi, lo ^ wrong];
}

/** Few places, so that calls meet what others have left. */
const near: fc.Arbitrary<Place> = fc.record({
  slots: fc.tuple(
    fc.constantFrom(0, 1, 511),
    fc.constantFrom(0, 3),
    ...[0, 1, 2].map(() => fc.constantFrom(0, 255)),
  ),
  wrong: fc.option(fc.constantFrom(1, 2 ** 11, 2 ** 31), { freq: 30 }),
});

const step = fc.record({
  call: fc.constantFrom('map', 'map', 'map', 'unmap', 'unmap', 'block', 'spoil', 'clear'),
  place: fc.oneof({ weight: 4, arbitrary: near }, { weight: 1, arbitrary: place }),
  pfn: fc.oneof(fc.integer({ min: 0, max: 2 ** 24 }), fc.constantFrom(2 ** 32, 2 ** 35 + 7, 2 ** 40)),
  /** Mostly of an address: the table is then another, or outside of the bank. */
  bits: fc.oneof(fc.integer({ min: 0, max: 63 }), fc.integer({ min: 10, max: 20 })),
});

describe.each(WALKED)('$name', (format) => {
  test('walks made for it, a loop that reads its numbers, and a look-up of each table find the same', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...FRAMES),
        fc.constantFrom(...BASES),
        fc.boolean(),
        fc.array(step, { minLength: 1, maxLength: 30 }),
        fc.array(place, { minLength: 10, maxLength: 30 }),
        (frames, base, isWasm, steps, places) => {
          const { table, memory } = machine(format, frames, base, isWasm);
          const context = contextBehind(table);
          const { plan, root } = context;
          const { bank } = root;
          const made = generatedWalk(plan, bank, root.word);
          expect(made).not.toBeNull();
          const generated = made as FlatWalk;
          const flat = new FlatWalk(plan, bank, root.word);
          const lookup = new LookupWalk(context);
          const madeLookup = generatedLookup(context);
          expect(madeLookup.constructor).not.toBe(LookupWalk);
          const cursors = [
            generatedCursor(context, generated, () => {}),
            new FlatCursor(context, flat, () => {}),
          ] as const;
          expect(cursors[0].constructor).not.toBe(FlatCursor);
          for (const { call, place: at, pfn, bits } of steps) {
            const [hi, lo] = wordsOf(format, at);
            try {
              if (call === 'map') table.mapWords(hi, lo, pfn, PAGE);
              else if (call === 'unmap') table.unmapWords(hi, lo);
              else if (call === 'block') mapBlock(table, hi, lo);
              else if (call === 'clear') table.unmap(addressOf(hi, lo), 2 ** format.pageShift);
              else {
                // A bit of some entry is other than it should be.
                const used = wordsInUse(bank.words);
                (bank.words[used[pfn % used.length] as number] as number) ^= 1 << (bits & 31);
              }
            } catch {
              // It does not fit, or there is no frame left.
            }
          }
          for (const at of [...places, ...steps.map((one) => one.place)]) {
            const [hi, lo] = wordsOf(format, at);
            const frame = flat.translate(hi, lo);
            expect(generated.translate(hi, lo)).toBe(frame);
            expect(generated.translate(hi >>> 0, lo >>> 0)).toBe(frame);
            for (const one of [lookup, madeLookup, madeLookup]) expect(one.translate(hi, lo)).toBe(frame);
            expect(madeLookup.leafShift).toBe(lookup.leafShift);
            // From the table of the last address, and from the one that they keep now.
            for (const cursor of cursors)
              for (let again = 0; again < 2; again++) expect(cursor.translateWords(hi, lo)).toBe(frame);
            const entry = flat.entryOf(hi, lo);
            expect(generated.entryOf(hi, lo)).toBe(entry);
            if (entry < 0)
              expect([generated.missLevel, generated.missAt]).toEqual([flat.missLevel, flat.missAt]);
          }
          expect(memory.banks).toHaveLength(1);
        },
      ),
      { numRuns: RUNS },
    );
  });

  test.each(BASES)(
    'what was made for it serves all plain pages, and asks the loop for none: bank %i',
    (base) => {
      for (const frames of FRAMES) {
        const { table } = machine(format, frames, base, false);
        const context = contextBehind(table);
        const { plan, root } = context;
        const walk = generatedWalk(plan, root.bank, root.word) as FlatWalk;
        const single = makeSinglePages(context, walk) as SinglePages;
        const places = [0, 1, 5, 255].map((slot) =>
          wordsOf(format, { slots: [slot, 3, 1, 0, 0], wrong: null }),
        );
        const [first] = places as [readonly [number, number]];
        // The tables are made by the way for all.
        expect(single.map(...first, 7, PAGE)).toBe(true);
        expect(single.unmap(...first)).toBe(7);
        const lives = livesOf({ table } as Machine)?.slice();
        const asked = (['translate', 'entryOf', 'mapPage', 'unmapPage'] as const).map((name) =>
          vi.spyOn(FlatWalk.prototype, name),
        );
        for (const [i, [hi, lo]] of places.entries()) expect(single.map(hi, lo, 100 + i, PAGE)).toBe(true);
        for (const [i, [hi, lo]] of places.entries()) expect(walk.translate(hi, lo)).toBe(100 + i);
        for (const [i, [hi, lo]] of places.entries()) expect(single.unmap(hi, lo)).toBe(100 + i);
        expect(livesOf({ table } as Machine)).toEqual(lives);
        for (const spy of asked) {
          expect(spy).not.toHaveBeenCalled();
          spy.mockRestore();
        }
      }
    },
  );

  test('a table in the window and outside of the bank ends both walks at its entry', () => {
    const { table, first } = machine(format, 61, 0, false);
    const context = contextBehind(table);
    const { plan, root, link } = context;
    const { words } = root.bank;
    const [hi, lo] = wordsOf(format, { slots: [1, 2, 1, 0, 0], wrong: null });
    table.mapWords(hi, lo, 7, PAGE);
    const walks = [
      generatedWalk(plan, root.bank, root.word) as FlatWalk,
      new FlatWalk(plan, root.bank, root.word),
    ];
    const ends = new Set<number>();
    for (const at of wordsInUse(words).filter((index) => index % 2 === 0)) {
      const was = words.slice(at, at + 2);
      writeTableEntry(link, words, at, first + 62);
      const [generated, flat] = walks.map((walk) => [walk.entryOf(hi, lo), walk.missLevel, walk.missAt]);
      expect(generated).toEqual(flat);
      if ((flat?.[0] as number) < 0) ends.add(flat?.[1] as number);
      words.set(was, at);
    }
    expect(ends.size).toBe(plan.last);
  });

  test('single pages are mapped and unmapped the same by code made for it and by the loop: bits, counts, frames', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...FRAMES),
        fc.constantFrom(...BASES),
        fc.array(step, { minLength: 1, maxLength: 40 }),
        (frames, base, steps) => {
          const sides = [true, false].map((isGenerated) => {
            const made = machine(format, frames, base, isGenerated);
            const context = contextBehind(made.table);
            const { plan, root } = context;
            const walk = isGenerated
              ? (generatedWalk(plan, root.bank, root.word) as FlatWalk)
              : new FlatWalk(plan, root.bank, root.word);
            return { ...made, single: makeSinglePages(context, walk) as SinglePages };
          });
          for (const { call, place: at, pfn } of steps) {
            const [hi, lo] = wordsOf(format, at);
            const outcomes = sides.map(({ single, table }) => {
              try {
                if (call === 'map') return single.map(hi, lo, pfn, PAGE);
                if (call === 'block') return mapBlock(table, hi, lo);
                return single.unmap(hi, lo);
              } catch (error) {
                return String(error);
              }
            });
            expect(outcomes[0]).toEqual(outcomes[1]);
          }
          const [one, two] = sides as unknown as [Machine, Machine];
          expect(one.table.counters).toEqual(two.table.counters);
          expect(one.frames.stats()).toEqual(two.frames.stats());
          expect(bytesOf(one).equals(bytesOf(two))).toBe(true);
          expect(livesOf(one)).toEqual(livesOf(two));
          expect(checkTables(one.table)).toEqual(checkTables(two.table));
          for (const { table, frames: left } of [one, two]) {
            table.destroy();
            expect(left.stats().allocated).toBe(0);
          }
        },
      ),
      { numRuns: RUNS },
    );
  });
});

function addressOf(hi: number, lo: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

/** Maps a block of the second-last level around an address, where the format has one. */
function mapBlock(table: PageTable, hi: number, lo: number): string {
  const bytes = 1n << BigInt(table.format.levels.at(-2)?.shift ?? 0);
  table.mapRange(addressOf(hi, lo) & ~(bytes - 1n), 2n * bytes, bytes, PAGE);
  return 'mapped';
}

describe('a memory that grows', () => {
  test.each(WALKED.slice(0, 3))('keeps single pages of $name on the short way', (format) => {
    const memory = new WebAssembly.Memory({ initial: 64 });
    const physical = PhysicalMemory.over(memory, { loops: wasmLoops });
    const table = new PageTable({
      format,
      memory: physical,
      frames: new FrameAllocator(physical, { pageShift: format.pageShift }),
    });
    const at = (slot: number) => wordsOf(format, { slots: [slot, 3, 1, 0, 0], wrong: null });
    table.mapWords(...at(0), 7, PAGE);
    const general = vi.spyOn(table, 'map');
    for (let slot = 1; slot < 20; slot++) {
      if (slot % 5 === 0) memory.grow(1);
      table.mapWords(...at(slot), slot, PAGE);
    }
    // The first call after each growth finds out.
    expect(general.mock.calls.length).toBeLessThanOrEqual(3);
    for (let slot = 1; slot < 20; slot++) expect(table.translateWords(...at(slot))).toBe(slot);
    memory.grow(1);
    for (let slot = 1; slot < 20; slot++) expect(table.unmapWords(...at(slot))).toBe(slot);
  });
});
