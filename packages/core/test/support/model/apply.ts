import type { Protection } from '@vmarea/core';
import { cutAtEnds, runAround, splitTo } from './cut.js';
import type { Model, ModelEntry } from './model.js';
import { Refused } from './refused.js';

/** What a callback does with the entry it sees. */
export type Action =
  | { readonly do: 'nothing' | 'same' | 'clear' | 'hide' | 'spoil' | 'stop' | 'throw' }
  | { readonly do: 'software'; readonly bit: bigint }
  | { readonly do: 'leaf'; readonly protection: Protection };

/** What a callback is shown. */
export interface Seen {
  readonly page: number;
  readonly level: number;
  readonly entry: ModelEntry | null;
}

/** How entries are to be visited. */
export interface ApplyPlan {
  readonly first: number;
  readonly pages: number;
  readonly makesTables: boolean;
  readonly blocks: 'refuse' | 'visit' | 'split';
  /** What the n-th callback does; the last action repeats. */
  readonly actions: readonly Action[];
  /** True for a page that cannot be mapped, since a flush is owed for it. */
  readonly isOwed: (page: number, pages: number) => boolean;
}

/** What a callback throws. */
export class Thrown extends Error {}

/** The frame that `leaf` maps at a page: the same number, so that leaves can be collapsed. */
function frameOf(model: Model, page: number): number {
  return page % model.geometry.frameLimit;
}

/**
 * Visits the entries of a range, in order.
 *
 * @param seen - takes what the callbacks are shown.
 * @returns the index of the visit that ended the call; `null` when none did.
 */
export function applyTo(model: Model, plan: ApplyPlan, seen: Seen[]): number | null {
  const end = plan.first + plan.pages;
  let stopped: number | null = null;
  const show = (page: number, level: number): void => {
    const entry = model.entries.get(page) ?? null;
    if (entry === null && !plan.makesTables) return;
    const action = plan.actions[Math.min(seen.length, plan.actions.length - 1)] as Action;
    if (action.do === 'stop') stopped = seen.length;
    seen.push({ page, level, entry });
    const isPartial = page < plan.first || page + model.level(level).pages > end;
    act(model, plan, action, page, level, isPartial);
  };
  const visit = (index: number, from: number, to: number): void => {
    const { pages } = model.level(index);
    for (let page = from - (from % pages); page < to && stopped === null; page += pages) {
      const upTo = Math.min(page + pages, to);
      const start = Math.max(page, from);
      if (index === model.geometry.last) {
        const entry = model.entries.get(page);
        if (plan.blocks === 'split' && entry?.isMarked)
          splitTo(model, page, page + 1, model.geometry.pageShift);
        show(page, index);
        continue;
      }
      const entry = model.entries.get(page);
      if (entry?.level === index) {
        if (entry.pfn < 0) throw new Refused('EBUSY');
        if (plan.blocks === 'refuse') throw new Refused('EINVAL');
        if (plan.blocks === 'visit') {
          show(page, index);
          continue;
        }
        // The blocks of a run are split together, as far as the range reaches.
        const cutTo = entry.isMarked ? Math.min(end, runAround(model, page, entry)[1]) : upTo;
        cutAtEnds(model, start, cutTo);
        splitTo(model, start, cutTo, model.geometry.pageShift);
      } else if (!model.hasTable(index + 1, page)) {
        if (!plan.makesTables) continue;
        if (plan.isOwed(start, upTo - start)) throw new Refused('EBUSY');
        model.addTable(index + 1, page);
      }
      visit(index + 1, start, upTo);
    }
  };
  visit(0, plan.first, end);
  return stopped;
}

function act(
  model: Model,
  plan: ApplyPlan,
  action: Action,
  page: number,
  level: number,
  isPartial: boolean,
): void {
  if (action.do === 'throw') throw new Thrown();
  if (action.do === 'nothing' || action.do === 'stop') return;
  const before = model.entries.get(page);
  if (action.do === 'software' && (before?.pfn ?? -1) < 0) return;
  if (action.do === 'spoil' && model.bits.noLeaf(level === model.geometry.last) === null) return;
  if (isPartial || before?.isMarked || action.do === 'spoil') throw new Refused('EINVAL');
  if (action.do === 'same') return;
  if (action.do === 'leaf' && (before?.pfn ?? -1) < 0 && plan.isOwed(page, model.level(level).pages)) {
    throw new Refused('EBUSY');
  }
  if (action.do === 'software') {
    model.change(page, { bits: (before as ModelEntry).bits ^ action.bit });
    return;
  }
  if (before !== undefined) model.remove(page);
  if (action.do === 'hide') model.put(page, { level, pfn: -1, bits: model.bits.absent, isMarked: false });
  if (action.do === 'leaf') {
    const bits = model.bits.encode(action.protection);
    model.put(page, { level, pfn: frameOf(model, page), bits, isMarked: false });
  }
}
