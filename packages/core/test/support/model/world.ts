import { BreakWatch, type ReachedTable } from '@vmarea/conformance';
import type { FlushBatch, FlushSink, TranslationCursor } from '@vmarea/core';
import { flushBatch, translationCursor } from '@vmarea/core';
import { ModelTlb, machine, type TestMachine } from '@vmarea/testkit';
import type { ShapedFormat } from '../../formats/index.js';
import type { Manual } from '../manual-walk/descriptor.js';
import { type Enumeration, Enumerator, type FoundTable } from '../manual-walk/enumerate.js';
import { addressOfPage, type Geometry, geometryOf } from '../manual-walk/geometry.js';
import { manualOf, type Read64 } from '../manual-walk/walk.js';
import { Model } from './model.js';

/** Makes the table of a world. One that threads share has a quiescent point. */
export type MakeMachine = (
  ...given: Parameters<typeof machine>
) => TestMachine & { readonly quiesce?: () => void };

/** Frames for tables, by granule: large tables take longer to read. */
const FRAMES: Record<number, number> = { 4: 160, 16: 72, 64: 48 };

/** A page table, the model of it, and the caches that hang on it. */
export interface World extends TestMachine {
  readonly geometry: Geometry;
  readonly manual: Manual;
  readonly read64: Read64;
  readonly enumerator: Enumerator;
  readonly tlb: ModelTlb;
  readonly watch: BreakWatch;
  readonly batches: readonly FlushBatch[];
  /** One for the whole life of the world. */
  readonly cursor: TranslationCursor;
  /** By batch: the ranges that its waiting tables translated, as first page and the page after the last. */
  readonly waiting: [number, number][][];
  /** The model after the calls so far. */
  model: Model;
  /** Called at every flush, before the caches forget anything; it may throw. */
  onFlush: () => void;
  /** Called before a frame is given out; `false` makes that fail. */
  onAllocate: () => boolean;
  /** Lets all threads of a shared table pass a quiescent point: called after each call. */
  readonly quiet: () => void;
  /** Frames that were given out since it was emptied. */
  readonly given: Set<number>;
  /** Called with the name of each case that a call meets. */
  onReached: (what: string) => void;
}

/**
 * Makes an empty table of a format with everything that judges it.
 *
 * @param spare - frames for tables beside the root; enough for everything by default.
 * @param makeMachine - makes the table; of one thread by default.
 */
export function newWorld(
  { format, shape }: ShapedFormat,
  baseFrame = 0,
  spare?: number,
  makeMachine: MakeMachine = machine,
): World {
  const geometry = geometryOf(shape);
  const manual = manualOf(geometry);
  const tlb = new ModelTlb(format);
  tlb.refills = true;
  const state = { onFlush: () => {}, onAllocate: () => true, onReached: (_: string) => {} };
  const sink: FlushSink = {
    flush(va, bytes, leafShift, tablesFreed) {
      state.onFlush();
      tlb.flush(va, bytes, leafShift, tablesFreed);
      watch.look(reachedIn(geometry, enumerator.read(made.table.root).tables), { va, bytes });
    },
  };
  const rootBytes = 8 * 2 ** (geometry.levels[0]?.bits ?? 0);
  const rootFrames = Math.max(1, rootBytes / 2 ** geometry.pageShift);
  const frames = spare === undefined ? (FRAMES[shape.granule] as number) : rootFrames + spare;
  const highest = geometry.frameLimit - frames;
  // With hardly any frames, a root of several frames must be aligned from the start.
  const first = spare === undefined ? baseFrame : baseFrame - (baseFrame % rootFrames);
  const base = BigInt(Math.min(first, highest)) << BigInt(geometry.pageShift);
  const made = makeMachine(format, frames, base, sink);
  const quiet = (): void => {
    const seen = made.flushes.length;
    made.quiesce?.();
    // A thread gets its own flushes again, with those of the others.
    made.flushes.length = seen;
  };
  const given = new Set<number>();
  const allocate = made.frames.tryAllocate.bind(made.frames);
  made.frames.tryAllocate = (order = 0) => {
    const pfn = state.onAllocate() ? allocate(order) : -1;
    if (pfn >= 0) for (let i = 0; i < 2 ** order; i++) given.add(pfn + i);
    return pfn;
  };
  const allocateMany = made.frames.tryAllocateMany.bind(made.frames);
  made.frames.tryAllocateMany = (count) => {
    for (let i = 0; i < count; i++) if (!state.onAllocate()) return null;
    const pfns = allocateMany(count);
    for (const pfn of pfns ?? []) given.add(pfn);
    return pfns;
  };
  const bytes = made.memory.bytesAt(base, frames * made.pageBytes);
  const read64 = reader(bytes, base);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const enumerator = new Enumerator({ words, base }, geometry, manual);
  Object.assign(tlb, { memory: made.memory, frames: made.frames, root: made.table.root });
  const watch = new BreakWatch(format, made.memory);
  const batches = [flushBatch(made.table), flushBatch(made.table)];
  const cursor = translationCursor(made.table);
  const model = new Model(geometry);
  const waiting: [number, number][][] = [[], []];
  const judges = { geometry, manual, read64, enumerator, tlb, watch };
  return Object.assign(state, made, judges, { batches, cursor, waiting, model, given, quiet });
}

/** Reads words of the bytes of all tables; far quicker than `memory.read64`. */
function reader(bytes: Uint8Array, base: bigint): Read64 {
  const words = new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8);
  return (pa) => {
    const word = words[Number(pa - base) / 8];
    if (word === undefined) throw new Error(`nothing at physical 0x${pa.toString(16)}`);
    return word;
  };
}

/** All entries and tables of a world. */
export function allOf({ enumerator, table }: World): Enumeration {
  return enumerator.read(table.root);
}

/** Looks at the entries of all tables between two flushes. */
export function watchBreaks({ watch, geometry }: World, { tables }: Enumeration): void {
  watch.look(reachedIn(geometry, tables));
}

function reachedIn(geometry: Geometry, tables: readonly FoundTable[]): ReachedTable[] {
  return tables.map(({ pfn, level, page }) => ({ pfn, level, va: addressOfPage(geometry, page) }));
}

/** True when a batch of the world owes a flush for a page of a range, or holds a table that translated one. */
export function isOwed({ batches, geometry, waiting }: World, first: number, pages: number): boolean {
  const owed = [...owedPages(batches, geometry), ...waiting.flat()];
  return owed.some(([from, to]) => from < first + pages && to > first);
}

/**
 * Notes which tables a call has put into a batch, or that the batch has none any more.
 *
 * @param held - how many tables the batch held before: a call that must break flushes at once and adds none.
 */
export function noteWaiting(world: World, after: Model, batch: number, held: number): void {
  const { batches, geometry, model, waiting } = world;
  const { isPending, tables } = batches[batch] as FlushBatch;
  if (!isPending) waiting[batch] = [];
  if (!isPending || tables === held) return;
  for (let index = 1; index <= geometry.last; index++) {
    const { tablePages } = model.level(index);
    for (const start of model.tablesOf(index)) {
      if (!after.hasTable(index, start)) waiting[batch]?.push([start, start + tablePages]);
    }
  }
}

function owedPages(batches: readonly FlushBatch[], geometry: Geometry): [number, number][] {
  const mask = (1n << BigInt(geometry.shape.vaBits)) - 1n;
  const shift = BigInt(geometry.pageShift);
  return batches.flatMap(({ ranges }) =>
    ranges.map(({ va, bytes }): [number, number] => {
      const from = Number((va & mask) >> shift);
      return [from, from + Number(bytes >> shift)];
    }),
  );
}
