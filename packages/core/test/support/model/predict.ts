import type { VmErrorCode } from '@vmarea/core';
import type { Geometry } from '../manual-walk/geometry.js';
import { applyTo, type Seen, Thrown } from './apply.js';
import type { CallFrames, CallRange, TableCall } from './call.js';
import { collapseInto } from './collapse.js';
import { cutAtEnds, cutsLeaf, splitTo } from './cut.js';
import { type ModelFrames, mapInto } from './map.js';
import { type Model, type ModelEntry, OutOfFrames } from './model.js';
import { Refused } from './refused.js';
import { prepareTables, reclaimTables } from './tables.js';

/** What a call must do. */
export interface Prediction {
  /** Why it is refused: a code, or what the callback throws; `null` when it is not. */
  readonly refusal: VmErrorCode | 'thrown' | null;
  /** The table after it; the one before when it is refused. */
  readonly after: Model;
  readonly result: unknown;
  /** What callbacks are shown. */
  readonly seen: readonly Seen[];
}

/**
 * What a call does to a model.
 *
 * @param isOwed - true when a batch owes a flush for a page of a range.
 */
export function predict(
  model: Model,
  call: TableCall,
  isOwed: (first: number, pages: number) => boolean,
): Prediction {
  const after = model.clone();
  const seen: Seen[] = [];
  try {
    const result = change(after, call, isOwed, seen);
    return { refusal: null, after, result, seen };
  } catch (error) {
    const refused = { after: model, result: undefined, seen };
    if (error instanceof Refused) return { refusal: error.code, ...refused };
    if (error instanceof OutOfFrames) return { refusal: 'ENOMEM', ...refused };
    if (error instanceof Thrown) return { refusal: 'thrown', ...refused };
    throw error;
  }
}

function change(
  model: Model,
  call: TableCall,
  isOwed: (first: number, pages: number) => boolean,
  seen: Seen[],
): unknown {
  if (call.op === 'done') return undefined;
  const { geometry } = model;
  if (call.op === 'reclaim' && call.isEverything) return reclaimTables(model, 0, geometry.pages);
  if (!isTranslated(geometry, call)) throw new Refused('ERANGE');
  const { first } = call;
  const end = first + call.pages;
  const levelOf = (shift: number): number => geometry.levels.findIndex((level) => level.shift === shift);
  switch (call.op) {
    case 'map': {
      const frames = framesOf(call.frames, call.pages);
      if (highestFrame(call.frames, call.pages) >= geometry.frameLimit) throw new Refused('EINVAL');
      if (isOwed(first, call.pages)) throw new Refused('EBUSY');
      // Page by page it is known which comes first, the occupied slot or the missing table.
      const isExact = call.maxLeafShift === geometry.pageShift;
      if (!isExact && model.within(first, end).length > 0) throw new Refused('EBUSY');
      return mapInto(model, first, call.pages, frames, model.bits.encode(call.protection), call.maxLeafShift);
    }
    case 'unmap':
      if (!call.split && cutsLeaf(model, first, end)) throw new Refused('EINVAL');
      // An entry that the MMU ignores cannot be split: nobody knows its meaning.
      if (cutsOpaque(model, first, end)) throw new Refused('EINVAL');
      cutAtEnds(model, first, end);
      for (const [page] of model.within(first, end)) model.remove(page);
      if (call.reclaim) reclaimTables(model, first, end);
      return undefined;
    case 'protect':
      // An entry that the MMU ignores stays as it is.
      if (!call.split && cutsLeaf(model, first, end)) throw new Refused('EINVAL');
      return protect(model, first, end, call.fields);
    case 'split':
      return splitTo(model, first, end, call.leafShift);
    case 'collapse':
      return collapseInto(model, first, end, call.maxLeafShift);
    case 'prepare':
      if (isOwed(first, call.pages)) throw new Refused('EBUSY');
      return prepareTables(model, first, end, levelOf(call.leafShift));
    case 'tablesNeeded': {
      const copy = model.clone();
      copy.frames = Number.POSITIVE_INFINITY;
      return prepareTables(copy, first, end, levelOf(call.leafShift));
    }
    case 'reclaim':
      return reclaimTables(model, first, end);
    default: {
      const { blocks, actions, pages } = call;
      const makesTables = call.op === 'applyToRange';
      const plan = { first, pages, makesTables, blocks, actions, isOwed };
      return applyTo(model, plan, seen) ?? undefined;
    }
  }
}

function protect(
  model: Model,
  first: number,
  end: number,
  fields: Parameters<Model['bits']['protect']>[1],
): void {
  const changed = ({ bits }: ModelEntry): bigint => {
    const after = model.bits.protect(bits, fields);
    if (after === null) throw new Refused('EINVAL');
    return after;
  };
  // A leaf that does not change is not split.
  cutAtEnds(model, first, end, (entry) => changed(entry) !== entry.bits);
  for (const [page, entry] of model.within(first, end)) {
    if (entry.pfn < 0) continue;
    const bits = changed(entry);
    if (bits !== entry.bits) model.change(page, { bits });
  }
}

/** True when an end of the range lies inside an entry above the last level that the MMU ignores. */
function cutsOpaque(model: Model, first: number, end: number): boolean {
  return model.within(first, end).some(([page, entry]) => {
    return entry.pfn < 0 && (page < first || page + model.pagesOf(entry) > end);
  });
}

/** True when the root translates every page of a range, and it does not cross the hole between two halves. */
function isTranslated({ shape, pages }: Geometry, range: CallRange): boolean {
  const end = range.first + range.pages;
  if (range.first < 0 || end > pages) return false;
  return shape.upper !== 'sign' || range.first >= pages / 2 || end <= pages / 2;
}

/** The highest frame that a call names. */
function highestFrame({ kind, start }: CallFrames, pages: number): number {
  return start + (kind === 'apart' ? 2 * pages - 2 : pages - 1);
}

/** The frame of a call's n-th page. */
export function frameAt({ kind, start }: CallFrames, pages: number, index: number): number {
  if (kind === 'apart') return start + 2 * index;
  const isEnd = index === 0 || index === pages - 1;
  return start + (kind === 'swapped' && isEnd ? pages - 1 - index : index);
}

function framesOf(given: CallFrames, pages: number): ModelFrames {
  return {
    at: (index) => frameAt(given, pages, index),
    isBlock: (index, count) => {
      const first = frameAt(given, pages, index);
      if (first % count !== 0) return false;
      if (count === 1 || given.kind === 'linear' || given.kind === 'list') return true;
      if (given.kind === 'apart') return false;
      // Only the first and last frame are swapped.
      return pages === 1 || (index > 0 && index + count < pages);
    },
  };
}
