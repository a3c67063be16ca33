import type { Begun, Outcome } from './begun.js';
import type { TableCall } from './call.js';
import { cutsLeaf } from './cut.js';
import type { Model, ModelEntry } from './model.js';
import type { World } from './world.js';

/** The cases that a call has met, by name. */
export function reachedBy(world: World, call: TableCall, begun: Begun, outcome: Outcome): string[] {
  const { op } = call;
  if (outcome.refusal !== null) return refusedBy(world.model, call, begun, outcome.refusal);
  const before = world.model;
  const { after } = begun.expected;
  const names: string[] = [op];
  if (op === 'done') {
    if ((begun.owed[call.batch] ?? 0) > 0) names.push('done: owed');
    if ((begun.held[call.batch] ?? 0) > 0) names.push('done: owed tables');
  }
  if (op === 'collapse') names.push(...collapsed(before, after));
  if (op === 'split') names.push(...splitBy(before, after));
  if (op === 'protect' || op === 'unmap') {
    const { first, pages } = call;
    names.push(...cutBy(before, after, first, first + pages).map((what) => `${op}: cut ${what}`));
  }
  if (op === 'reclaim' && (outcome.result as number) > 0) names.push('reclaim: freed');
  if ((op === 'applyToRange' || op === 'applyToExisting') && holdsBlock(before, call)) {
    names.push(`${op}: ${call.blocks}`);
  }
  return names;
}

function refusedBy(model: Model, call: TableCall, { isOwed }: Begun, refusal: string): string[] {
  const { op } = call;
  if (refusal === 'ENOMEM') return [`${op}: ENOMEM`];
  if (refusal === 'EBUSY' && isOwed && 'first' in call) {
    const here = model.within(call.first, call.first + call.pages);
    const isOther = op === 'map' ? here.length > 0 : here.some(([, { pfn }]) => pfn < 0);
    return isOther ? [] : [`${op}: owed`];
  }
  if (refusal !== 'EINVAL') return [];
  if ((op === 'unmap' || op === 'protect') && !call.split) {
    return cutsLeaf(model, call.first, call.first + call.pages) ? [`${op}: not cut`] : [];
  }
  const isApply = op === 'applyToRange' || op === 'applyToExisting';
  return isApply && call.blocks === 'refuse' && holdsBlock(model, call) ? [`${op}: refuse`] : [];
}

function holdsBlock(model: Model, { first, pages }: { first: number; pages: number }): boolean {
  return model
    .within(first, first + pages)
    .some(([, { level, pfn }]) => pfn >= 0 && level < model.geometry.last);
}

function collapsed(before: Model, after: Model): string[] {
  const names: string[] = [];
  for (const [page, entry] of after.entries) {
    if (before.entries.get(page)?.level === entry.level) continue;
    names.push(
      entry.level === before.geometry.last - 1 ? 'collapse: a block' : 'collapse: a block of blocks',
    );
    const parts = before.within(page, page + after.pagesOf(entry));
    if (parts.some(([, { isMarked }]) => isMarked)) names.push('collapse: runs');
  }
  return names;
}

function splitBy(before: Model, after: Model): string[] {
  const names: string[] = [];
  for (const [page, { level, isMarked }] of before.entries) {
    const now = after.entries.get(page);
    if (now?.level !== level) names.push(`split: ${before.geometry.last - level} above the last`);
    else if (isMarked && !now.isMarked) names.push('split: a run');
  }
  return names;
}

/** Leaves and runs that a range covers in part and that are smaller now. */
function cutBy(before: Model, after: Model, first: number, end: number): string[] {
  const names: string[] = [];
  const isInside = (page: number, entry: ModelEntry): boolean =>
    page >= first && page + before.pagesOf(entry) <= end;
  for (const [page, entry] of before.entries) {
    if (entry.pfn < 0 || isInside(page, entry)) continue;
    const now = after.entries.get(page);
    if (now?.level !== entry.level) names.push('a block');
    else if (entry.isMarked && !now.isMarked) names.push('a run');
  }
  return names;
}
