import { protection } from '@vmarea/core';
import type { Call, TableCall } from './call.js';
import type { Draft } from './draft.js';
import type { Model } from './model.js';
import { resolve } from './resolve.js';
import type { World } from './world.js';

/** Pages of a follow-up that maps or visits one page at a time. */
const SOME = 20;

/** Makes the calls that drafts stand for, one after another, each with its follow-ups. */
export function play(world: World, list: readonly Draft[], make: (call: Call) => void): void {
  for (const draft of list) {
    const call = resolve(world.model, draft);
    if (call === null) continue;
    const before = world.model;
    make(call);
    for (const next of followUps(world, before, call, draft)) make(next);
  }
}

/** Calls that test another call best: a batch that is done, or used too early; a collapse after a split, and a split after a map. */
function followUps(world: World, before: Model, call: Call, draft: Draft): Call[] {
  const { follow: then } = draft;
  const { geometry, batches, model } = world;
  if (call.op === 'mark') return followRun(model, call.page, then);
  if (!('first' in call)) return [];
  const { first, pages } = call;
  const end = first + pages;
  if ('batch' in call && batches[call.batch]?.isPending === true) {
    const { batch } = call;
    const range = { first, pages: Math.min(pages, SOME) };
    const start = first % geometry.frameLimit;
    const all: TableCall = { op: 'reclaim', first: 0, pages: 1, isEverything: true, batch };
    const leaf = { do: 'leaf', protection: protection() } as const;
    const frames = { kind: 'linear', start } as const;
    const onto: TableCall[][] = [
      [{ op: 'done', batch }],
      [all, { op: 'done', batch }],
      [{ op: 'map', ...range, frames, protection: protection(), maxLeafShift: geometry.pageShift }],
      [{ op: 'prepare', ...range, leafShift: geometry.pageShift }],
      [{ op: 'applyToRange', ...range, batch: -1, blocks: 'split', actions: [leaf] }],
      [{ op: 'applyToExisting', ...range, batch, blocks: 'visit', actions: [{ do: 'nothing' }] }],
    ];
    return onto[then] ?? [];
  }
  if (call.op === 'split' && then < 7) {
    // The whole of the blocks that were split.
    const cut = before.within(first, end).filter(([, { level }]) => level < geometry.last);
    const from = Math.min(first, ...cut.map(([page]) => page));
    const to = Math.max(end, ...cut.map(([page, entry]) => page + before.pagesOf(entry)));
    return [{ op: 'collapse', first: from, pages: to - from, batch: -1, maxLeafShift: 64 }];
  }
  if (call.op === 'unmap' && then > 5) {
    // A larger leaf in the slot of a table that is empty now.
    const onto = resolve(model, { ...draft, op: 'mapUnit', anchor: 12 });
    return onto === null ? [] : [onto];
  }
  if (draft.op !== 'mapUnit') return [];
  const collapse: TableCall = { op: 'collapse', first, pages, batch: -1, maxLeafShift: 64 };
  if (then < 2) return [collapse];
  if (then === 2) {
    const mark = resolve(model, { ...draft, op: 'mark' });
    return mark === null ? [collapse] : [mark, collapse];
  }
  if (then === 3) return [{ op: 'split', first, pages: 1, batch: -1, leafShift: geometry.pageShift }];
  if (then > 7) {
    const blocks = (['refuse', 'visit', 'split'] as const)[draft.which % 3] as 'refuse' | 'visit' | 'split';
    const op = then < 10 ? 'applyToRange' : 'applyToExisting';
    const range = { first, pages: Math.min(pages, SOME) };
    return [{ op, ...range, batch: -1, blocks, actions: [{ do: 'nothing' }] }];
  }
  return followRun(model, first, then);
}

/** Splits a run or block, or collapses the table that holds it. */
function followRun(model: Model, page: number, then: number): TableCall[] {
  const one = { first: page + 1, pages: 1, split: then !== 7 };
  switch (then) {
    case 4:
    case 7:
      return [{ op: 'unmap', ...one, batch: -1, reclaim: false }];
    case 5:
      return [{ op: 'protect', ...one, batch: -1, fields: { global: false } }];
    case 6:
      return [{ op: 'protect', ...one, batch: 0, fields: { write: false } }];
    case 8:
    case 9: {
      const level = model.entries.get(page)?.level ?? model.geometry.last;
      const { tablePages } = model.level(level);
      const first = model.tableStart(level, page);
      return [{ op: 'collapse', first, pages: tablePages, batch: -1, maxLeafShift: 64 }];
    }
    default:
      return [];
  }
}
