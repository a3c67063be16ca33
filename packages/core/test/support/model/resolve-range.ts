import type { Geometry } from '../manual-walk/geometry.js';
import type { CallRange } from './call.js';
import type { Draft } from './draft.js';
import type { Model } from './model.js';

/** The most visits of a callback, and the most pages of a list of frames. */
const MOST_PAGES = 17_000;

/** The most pages for which tables are prepared or counted: the model does it one by one. */
const MOST_PREPARED = 300_000;

/** Anchors below this are places. */
const PLACES = 8;

/** Pages where levels meet, the halves, and both ends of the range. */
function places({ geometry }: Model): number[] {
  const { levels, last, pages } = geometry;
  const span = (above: number): number => Math.min(levels[Math.max(0, last - above)]?.tablePages ?? 0, pages);
  const block = Math.min(levels[Math.max(0, last - 1)]?.pages ?? 1, pages);
  return [0, block, 3 * block, span(0), span(1), pages / 2, pages - block, pages];
}

/** The level whose leaf size a draft uses; most often the one above the last. */
function unitLevel({ levels, last }: Geometry, cap: number): number {
  const above = cap === 7 || cap === 5 ? 4 : cap === 6 ? 2 : 1;
  for (let level = Math.max(0, last - above); level < last; level++) if (levels[level]?.mayMap) return level;
  return last;
}

/** First page and length of the place, leaf, block, leaf of a run or full table that a draft uses. */
function anchorOf(model: Model, { op, anchor, which, cap }: Draft): { base: number; unit: number } {
  const { geometry } = model;
  const level = unitLevel(geometry, cap);
  const unit = model.level(level).pages;
  if (anchor < PLACES || model.entries.size === 0) {
    return { base: places(model)[anchor % PLACES] as number, unit };
  }
  if (anchor >= 20 || (op === 'collapse' && anchor >= 12)) {
    const full = geometry.levels.flatMap(({ bits, tablePages }, index) => {
      const starts = model.tablesOf(index).filter((start) => model.live(index, start) === 2 ** bits);
      return starts.map((base) => ({ base, unit: tablePages }));
    });
    if (full.length > 0) return full[which % full.length] as (typeof full)[number];
  }
  const all = [...model.entries];
  const some = all.filter(([, entry]) => {
    return anchor >= 17 ? entry.isMarked : anchor < 12 || entry.level < geometry.last;
  });
  const among = some.length > 0 ? some : all;
  // Neighbours are alike: a large step reaches different ones.
  const [page, entry] = among[(which * 7919) % among.length] as (typeof all)[number];
  const run = entry.isMarked ? model.level(entry.level).run : 1;
  const size = model.pagesOf(entry) * run;
  return { base: page - (page % size), unit: size };
}

/** The range that a draft means: at, in and around its anchor. `null` when there is none. */
export function rangeOf(model: Model, draft: Draft): CallRange | null {
  const { geometry } = model;
  const { anchor, offset, inside } = draft;
  // Only whole tables collapse.
  const size = draft.op === 'collapse' && draft.size < 6 ? 4 : draft.size;
  const { base: start, unit } = anchorOf(model, draft);
  // Its start, its end, its middle.
  const within = [0, 0, unit, Math.floor(unit / 2), unit - 1, 0][inside] as number;
  const base = anchor < PLACES ? start : start + within;
  const run = model.level(geometry.last).run || 2;
  const sizes = [1, 2, 3, 5, unit, unit + 1, 2 * unit, unit - 1, run, run - 1, unit, unit];
  const pages = Math.max(1, sizes[size] as number);
  const isAligned = size >= 4 && (offset > -2 || pages > MOST_PAGES);
  const first = isAligned ? base - (((base % unit) + unit) % unit) : base + offset;
  const range = { first, pages: Math.min(pages, mostPages(draft)) };
  // After the end of a sign-extended range follow the addresses of its start.
  if (geometry.shape.upper === 'sign' && (first < 0 || first >= geometry.pages)) return null;
  return range;
}

function mostPages({ op }: Draft): number {
  if (op === 'applyToRange' || op === 'applyToExisting') return MOST_PAGES;
  return op === 'prepare' || op === 'tablesNeeded' ? MOST_PREPARED : Number.POSITIVE_INFINITY;
}

/**
 * An aligned range of one or two runs, or of one or two blocks, and the cap that gives leaves of which a run or a block can
 * be made. `null` when the format has none, or it lies outside.
 */
export function alignedRange(
  model: Model,
  { op, anchor, cap, size, offset, choice, which }: Draft,
): (CallRange & { maxLeafShift: number }) | null {
  const { geometry } = model;
  const empty = op === 'mapUnit' && anchor >= 12 ? emptyTables(model) : [];
  if (empty.length > 0) return empty[which % empty.length] as (typeof empty)[number];
  const { levels, last } = geometry;
  let level = op === 'mapRun' && cap < 5 ? last : unitLevel(geometry, cap);
  const { run, pages } = model.level(level);
  const unit = op === 'mapRun' ? run * pages : pages;
  if (unit < 2) return null;
  // Small enough to be mapped page by page, when it is to be collapsed.
  const isSmall = op === 'mapUnit' && choice < 8 && levels[level + 1]?.mayMap === true;
  if (isSmall) level++;
  const base = places(model)[anchor % PLACES] as number;
  const first = base - (base % unit) + Math.min(0, offset) * unit;
  const count = size < 6 ? unit : 2 * unit;
  if (first < 0 || first + count > geometry.pages) return null;
  return { first, pages: count, maxLeafShift: model.level(level).shift };
}

/** The ranges of left-over tables, which a larger leaf may replace. */
function emptyTables(model: Model): (CallRange & { maxLeafShift: number })[] {
  return model.geometry.levels.flatMap(({ tablePages }, index) => {
    if (index === 0 || !model.level(index - 1).mayMap) return [];
    const starts = model.tablesOf(index).filter((start) => model.live(index, start) === 0);
    return starts.map((first) => ({ first, pages: tablePages, maxLeafShift: 64 }));
  });
}
