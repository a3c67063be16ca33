import { type Protection, protection } from '@vmarea/core';
import type { Action } from './apply.js';
import type { ApplyCall, Call, CallFrames, CallRange, RawCall } from './call.js';
import type { Draft } from './draft.js';
import type { Model } from './model.js';
import { mayMark } from './raw.js';
import { alignedRange, rangeOf } from './resolve-range.js';

/** The most pages that are mapped one by one; larger ranges get larger leaves. */
const MANY_PAGES = 17_000;

/** Which of two batches a call is left to, most often the first, so that it has to merge ranges; -1 for none. */
const BATCHES: readonly number[] = [0, 0, 0, 1, -1, -1, -1, -1];

const PROTECTIONS: readonly Partial<Protection>[] = [
  { write: true, global: true },
  { execute: true },
  { write: true, user: true },
  { write: true, global: true, accessed: false, dirty: false },
  { user: true, execute: true, memory: 'write-combining' },
];

/** Changes for `protect`: single members, some, all, none, and some that change nothing or that no leaf can have. */
const CHANGES: readonly Partial<Protection>[] = [
  { write: false },
  { write: true },
  { execute: true },
  { execute: false, write: true },
  { user: true },
  { user: false, global: true },
  { memory: 'device' },
  { memory: 'normal', global: false },
  { read: false },
  {},
  protection({ write: true, global: true }),
  protection({ execute: true }),
  protection({ user: true }),
];

/** The call that a draft stands for in a model; `null` when it finds nothing to use. */
export function resolve(model: Model, draft: Draft): Call | null {
  const { op } = draft;
  const batch = BATCHES[draft.batch] as number;
  if (op === 'done') return { op, batch: Math.max(0, batch) };
  if (op === 'mark' || op === 'software' || op === 'use' || op === 'hide')
    return resolveRaw(model, draft, op);
  if (op === 'mapRun' || op === 'mapUnit') return mapAligned(model, draft);
  const range = rangeOf(model, draft);
  if (range === null) return null;
  switch (op) {
    case 'map': {
      const mapped = { ...range, protection: protectionOf(model, draft), maxLeafShift: capOf(model, draft) };
      return { op, ...withFrames(model, draft, mapped) };
    }
    case 'unmap':
      return { op, ...range, batch, reclaim: (draft.choice & 1) === 1, split: draft.choice < 12 };
    case 'protect': {
      const fields = CHANGES[draft.protection % CHANGES.length] as Partial<Protection>;
      return { op, ...range, batch, fields, split: draft.choice < 12 };
    }
    case 'split':
      return { op, ...range, batch, leafShift: leafShiftOf(model, draft) };
    case 'collapse':
      return { op, ...range, batch, maxLeafShift: capOf(model, draft) };
    case 'prepare':
    case 'tablesNeeded':
      return { op, ...range, leafShift: leafShiftOf(model, draft) };
    case 'reclaim':
      return { op, ...range, batch, isEverything: draft.choice < 3 };
    default:
      return { op, ...range, batch, ...visitsOf(model, draft) };
  }
}

/** Sizes of leaves, smallest first. */
function leafShifts({ geometry }: Model): number[] {
  return geometry.levels
    .filter(({ mayMap }) => mayMap)
    .map(({ shift }) => shift)
    .reverse();
}

function leafShiftOf(model: Model, { cap }: Draft): number {
  const shifts = leafShifts(model);
  return shifts[cap < 3 ? 0 : cap % shifts.length] as number;
}

/** A cap; most often none. */
function capOf(model: Model, { cap }: Draft): number {
  const shifts = leafShifts(model);
  return cap < 5 ? 64 : (shifts[cap % shifts.length] as number);
}

function protectionOf({ bits, geometry }: Model, draft: Draft): Protection {
  const fields = PROTECTIONS[draft.protection % PROTECTIONS.length] as Partial<Protection>;
  const extra = (draft.choice & 1) === 1 ? (bits.software[draft.choice % bits.software.length] ?? 0n) : 0n;
  const isArm = geometry.shape.architecture === 'arm64';
  const memory = fields.memory ?? ((draft.protection & 8) === 0 ? 'normal' : isArm ? 'uncached' : 'device');
  return protection({ ...fields, memory, extra });
}

/** Frames for a range; for very many pages they make large leaves. */
function withFrames<R extends CallRange & { maxLeafShift: number }>(
  { geometry }: Model,
  draft: Draft,
  range: R,
): R & { frames: CallFrames } {
  const { first, pages } = range;
  const same = ((first % geometry.frameLimit) + geometry.frameLimit) % geometry.frameLimit;
  if (pages > MANY_PAGES) {
    return { ...range, maxLeafShift: 64, frames: { kind: 'linear', start: same } };
  }
  const kinds = ['linear', 'list', 'linear', 'list', 'swapped', 'apart', 'linear', 'linear'] as const;
  const kind = kinds[draft.frame % kinds.length] as CallFrames['kind'];
  switch (draft.frame) {
    case 6:
      return { ...range, frames: { kind, start: geometry.frameLimit - pages } };
    case 7:
      return { ...range, frames: { kind, start: geometry.frameLimit - pages + 1 } };
    case 8:
      return { ...range, frames: { kind: 'linear', start: draft.which } };
    default:
      return { ...range, frames: { kind, start: same } };
  }
}

/** Leaves that may become one of the next size, or carry the mark of a run; or that are one of the next size already. */
function mapAligned(model: Model, draft: Draft): Call | null {
  const found = alignedRange(model, draft);
  if (found === null) return null;
  const { maxLeafShift, ...range } = found;
  const start = range.first % model.geometry.frameLimit;
  const isList = draft.frame >= 8 && range.pages <= MANY_PAGES;
  const frames: CallFrames = { kind: isList ? 'list' : 'linear', start };
  return { op: 'map', ...range, frames, protection: protectionOf(model, draft), maxLeafShift };
}

function resolveRaw(model: Model, draft: Draft, op: RawCall['op']): RawCall | null {
  const bit = model.bits.software[draft.choice % model.bits.software.length] as bigint;
  const use = { bit, accessed: (draft.cap & 1) === 1, dirty: (draft.cap & 2) === 2 };
  const pages: number[] = [];
  for (const [page, entry] of model.entries) {
    if (op === 'mark') {
      if (mayMark(model, page)) pages.push(page);
    } else if (op === 'hide') {
      // Only entries above the last level: `applyToRange` hides some of the others.
      if (entry.pfn >= 0 && entry.level < model.geometry.last && !entry.isMarked) pages.push(page);
    } else if (entry.pfn >= 0) {
      pages.push(entry.isMarked ? runStart(model, page) : page);
    }
  }
  const page = pages[draft.which % Math.max(1, pages.length)];
  return page === undefined ? null : { op, page, ...use };
}

function runStart(model: Model, page: number): number {
  const { run, pages } = model.level(model.entries.get(page)?.level as number);
  return page - (page % (run * pages));
}

function visitsOf(model: Model, draft: Draft): Pick<ApplyCall, 'blocks' | 'actions'> {
  const blocks = (['refuse', 'visit', 'split', 'split'] as const)[draft.choice & 3] as ApplyCall['blocks'];
  return { blocks, actions: draft.actions.map((n) => actionOf(model, draft, n)) };
}

function actionOf(model: Model, draft: Draft, n: number): Action {
  if (n < 10) return { do: 'nothing' };
  if (n < 14) return { do: 'clear' };
  if (n < 18) return { do: 'leaf', protection: protectionOf(model, draft) };
  if (n < 22) return { do: 'software', bit: model.bits.software[n % model.bits.software.length] as bigint };
  if (n < 24) return { do: 'same' };
  if (n < 27) return { do: 'hide' };
  if (n < 29) return { do: 'stop' };
  return { do: n === 29 ? 'spoil' : n === 30 ? 'throw' : 'stop' };
}
