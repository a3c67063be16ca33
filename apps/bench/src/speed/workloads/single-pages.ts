import {
  AddressSpace,
  type PageTable,
  type Protection,
  prepareTables,
  VM_SPARSE,
  type VmArea,
} from '@vmarea/core';
import { timed } from '../../timed.js';
import type { Bed, Places } from '../bed.js';
import { fold } from '../fold.js';
import { STREAM } from '../scatter.js';
import { scatteredSize } from '../size.js';
import { differenceOf, workOf } from '../work.js';
import { intoEmptyRoot, intoPreparedTables } from './map-rounds.js';
import { foldOf, requireFold, translateEach } from './translate.js';
import type { Round, Workload } from './workload.js';

/** Pages of the range for each mapped page: 65,536 of 1,048,576 pages (4 GiB) are mapped. */
const SPREAD = 16;

function mapEach(table: PageTable, { hi, lo }: Places, frames: Uint32Array, protection: Protection): void {
  for (let i = 0; i < hi.length; i++) {
    table.mapWords(hi[i] as number, lo[i] as number, frames[i] as number, protection);
  }
}

/** Unmaps one page at a time and folds their frames. */
function unmapEach(table: PageTable, { hi, lo }: Places): number {
  let sum = 0;
  for (let i = 0; i < hi.length; i++) {
    sum = fold(sum, table.unmapWords(hi[i] as number, lo[i] as number));
  }
  return sum;
}

function openMap(rounds: typeof intoPreparedTables) {
  return (bed: Bed): (() => Round) => {
    const places = bed.places('random', STREAM.places);
    const frames = bed.frames();
    const { protection } = bed;
    return rounds(bed, frames.length, (table) => mapEach(table, places, frames, protection));
  };
}

function openTranslate(bed: Bed): () => Round {
  const places = bed.places('random', STREAM.places);
  const table = bed.keptTable();
  const frames = bed.frames();
  mapEach(table, places, frames, bed.protection);
  const expected = foldOf(frames, (pfn) => pfn);
  return () => {
    table.resetCounters();
    let checksum = 0;
    const ns = timed(() => {
      checksum = translateEach(table, places);
    });
    requireFold(bed, checksum, expected);
    return { ns, work: workOf(table), checksum };
  };
}

function openUnmap(bed: Bed): () => Round {
  const places = bed.places('random', STREAM.places);
  const frames = bed.frames();
  const { protection } = bed;
  const table = bed.keptTable();
  prepareTables(table, bed.start, bed.bytes);
  return () => {
    mapEach(table, places, frames, protection);
    table.resetCounters();
    let sum = 0;
    const ns = timed(() => {
      sum = unmapEach(table, places);
    });
    const work = workOf(table);
    return { ns, work, checksum: fold(sum, bed.foldRange(table, 0)) };
  };
}

/** Makes a sparse area over the bed's range, with its tables. */
function openArea(bed: Bed): { kernel: AddressSpace; area: VmArea } {
  const { format, linux } = bed.configuration;
  const kernel = bed.keep(new AddressSpace({ format, linux, memory: bed.memory, frames: bed.tables }));
  const area = kernel.getVmAreaNode({
    ...{ size: bed.bytes, align: 1n << BigInt(bed.size.leafShift), flags: VM_SPARSE },
  });
  area.prepare();
  return { kernel, area };
}

function openAreaMap(bed: Bed): () => Round {
  const { pages } = bed.places('random', STREAM.places);
  const frames = bed.frames();
  const { protection } = bed;
  const { kernel, area } = openArea(bed);
  return () => {
    const before = workOf(kernel);
    const ns = timed(() => {
      for (let i = 0; i < pages.length; i++) area.map(pages[i] as number, frames[i] as number, protection);
    });
    const work = differenceOf(workOf(kernel), before);
    const checksum = bed.foldRange(kernel.table, pages.length);
    area.unmap(0, area.pages);
    return { ns, work, checksum };
  };
}

function openAreaUnmap(bed: Bed): () => Round {
  const { pages } = bed.places('random', STREAM.places);
  const frames = bed.frames();
  const { protection } = bed;
  const { kernel, area } = openArea(bed);
  return () => {
    for (let i = 0; i < pages.length; i++) area.map(pages[i] as number, frames[i] as number, protection);
    const before = workOf(kernel);
    const ns = timed(() => {
      for (let i = 0; i < pages.length; i++) area.unmap(pages[i] as number);
    });
    const work = differenceOf(workOf(kernel), before);
    return { ns, work, checksum: bed.foldRange(kernel.table, 0) };
  };
}

/** W5: one call for each page, at random addresses of a large range. */
export const SINGLE_PAGES: readonly Workload[] = (
  [
    ['W5.map-prepared', 'mapWords into tables that are there', openMap(intoPreparedTables)],
    ['W5.map-fresh', 'mapWords into an empty root', openMap(intoEmptyRoot)],
    ['W5.translate', 'translateWords of each', openTranslate],
    ['W5.unmap', 'unmapWords of each; the tables stay', openUnmap],
    ['W5.area-map', 'map of an area, by page, into tables that are there', openAreaMap],
    ['W5.area-unmap', 'unmap of an area, by page', openAreaUnmap],
  ] as const
).map(([id, how, open]) => ({
  id,
  family: 'W5',
  description: `single pages at random places, one in ${SPREAD} of a range: ${how}`,
  unit: id === 'W5.translate' ? 'translation' : 'page',
  size(configuration, pages) {
    const units = Math.floor(pages / 4);
    return scatteredSize(configuration, units, units, SPREAD * units);
  },
  open,
}));
