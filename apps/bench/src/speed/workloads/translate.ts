import { CheckError } from '@vmarea/cli';
import type { PageTable, TranslationCursor } from '@vmarea/core';
import { translateMany, translationCursor } from '@vmarea/core';
import { timed } from '../../timed.js';
import type { Bed, Places } from '../bed.js';
import { fold } from '../fold.js';
import { scatteredSize } from '../size.js';
import { workOf } from '../work.js';
import type { Round, Workload } from './workload.js';

/** Translates one address at a time and folds the frames, so that V8 cannot leave out a call. */
export function translateEach(
  reader: Pick<PageTable | TranslationCursor, 'translateWords'>,
  { hi, lo }: Places,
): number {
  let sum = 0;
  for (let i = 0; i < hi.length; i++) {
    sum = fold(sum, reader.translateWords(hi[i] as number, lo[i] as number));
  }
  return sum;
}

/** The checksum that translations must have, from the mapped frames alone. */
export function foldOf(places: Uint32Array, frameOf: (place: number) => number): number {
  let sum = 0;
  for (const place of places) sum = fold(sum, frameOf(place));
  return sum;
}

/** Throws when translations differ from the mapped frames. */
export function requireFold({ configuration }: Bed, checksum: number, expected: number): void {
  if (checksum === expected) return;
  throw new CheckError(
    `${configuration.name}: translations give checksum ${checksum} instead of ${expected}`,
  );
}

/** Makes a page table with all pages of W1. */
export function mapped(bed: Bed): PageTable {
  const table = bed.keptTable();
  table.map(bed.start, bed.frames(), bed.protection, bed.baseLeaves);
  return table;
}

/** Translates address by address, by a table or a cursor. */
function openEach(
  order: 'sequential' | 'random',
  reader: (table: PageTable) => Pick<PageTable | TranslationCursor, 'translateWords'>,
) {
  return (bed: Bed): (() => Round) => {
    const table = mapped(bed);
    const places = bed.places(order);
    const frames = bed.frames();
    const expected = foldOf(places.pages, (page) => frames[page] as number);
    return () => {
      const from = reader(table);
      table.resetCounters();
      let checksum = 0;
      const ns = timed(() => {
        checksum = translateEach(from, places);
      });
      requireFold(bed, checksum, expected);
      return { ns, work: workOf(table), checksum };
    };
  };
}

/** Translates all addresses in one call, into existing arrays. */
function openBatch(order: 'sequential' | 'random') {
  return (bed: Bed): (() => Round) => {
    const table = mapped(bed);
    const { addresses } = bed.places(order);
    const frames = new Float64Array(addresses.length).fill(0);
    const leafShifts = new Uint8Array(addresses.length).fill(0);
    return () => {
      table.resetCounters();
      let found = 0;
      const ns = timed(() => {
        found = translateMany(table, addresses, frames, leafShifts);
      });
      const work = workOf(table);
      if (found !== addresses.length) {
        throw new CheckError(`${bed.configuration.name}: ${found} of ${addresses.length} pages translated`);
      }
      let checksum = 0;
      for (let i = 0; i < frames.length; i++) {
        checksum = fold(fold(checksum, frames[i] as number), leafShifts[i] as number);
      }
      return { ns, work, checksum };
    };
  };
}

/** W4: translates every page that W1 maps. */
export const TRANSLATE: readonly Workload[] = (
  [
    ['W4.random', 'translateWords in random order', openEach('random', (table) => table)],
    ['W4.sequential', 'translateWords in ascending order', openEach('sequential', (table) => table)],
    ['W4.cursor', 'a cursor in ascending order', openEach('sequential', (table) => translationCursor(table))],
    ['W4.batch', 'translateMany in random order', openBatch('random')],
    ['W4.batch-sequential', 'translateMany in ascending order', openBatch('sequential')],
  ] as const
).map(([id, how, open]) => ({
  id,
  family: 'W4',
  description: `translate every page that W1 maps: ${how}`,
  unit: 'translation',
  size: (configuration, pages) => scatteredSize(configuration, pages),
  open,
}));
