import type { Model, ModelEntry } from './model.js';

/** First page and the page after the run that a marked leaf belongs to. */
export function runAround(model: Model, page: number, { level }: ModelEntry): [number, number] {
  const { run, pages } = model.level(level);
  const start = page - (page % (run * pages));
  return [start, start + run * pages];
}

/** Takes the mark from every leaf of a run. */
function unmarkRun(model: Model, page: number, entry: ModelEntry): void {
  const [start, end] = runAround(model, page, entry);
  for (let at = start; at < end; at += model.pagesOf(entry)) model.change(at, { isMarked: false });
}

/** Replaces a block by a table of smaller leaves. */
function splitEntry(model: Model, page: number, { level, pfn, bits }: ModelEntry): void {
  const { tablePages, pages } = model.level(level + 1);
  model.remove(page);
  model.addTable(level + 1, page);
  for (let inside = 0; inside < tablePages; inside += pages) {
    model.put(page + inside, { level: level + 1, pfn: pfn + inside, bits, isMarked: false });
  }
}

/** Takes the mark from the runs of the range that `isMeant` selects. */
function unmarkRuns(
  model: Model,
  first: number,
  end: number,
  isMeant: (entry: ModelEntry, start: number, end: number) => boolean,
): void {
  for (const [page, entry] of model.within(first, end)) {
    // One that was met before has lost its mark.
    if (model.entries.get(page)?.isMarked !== true) continue;
    if (isMeant(entry, ...runAround(model, page, entry))) unmarkRun(model, page, entry);
  }
}

/** True when an end of the range lies inside a leaf larger than a page, or inside a run. */
export function cutsLeaf(model: Model, first: number, end: number): boolean {
  return model.within(first, end).some(([page, entry]) => {
    const [start, stop] = entry.isMarked
      ? runAround(model, page, entry)
      : [page, page + model.pagesOf(entry)];
    return entry.pfn >= 0 && (start < first || stop > end);
  });
}

/**
 * Splits the leaves and runs at the ends of a range until no end lies inside one; pieces stay as large as possible.
 *
 * @param isMeant - selects the leaves that are split; all by default.
 */
export function cutAtEnds(
  model: Model,
  first: number,
  end: number,
  isMeant: (entry: ModelEntry) => boolean = () => true,
): void {
  unmarkRuns(model, first, end, (entry, start, stop) => isMeant(entry) && (start < first || stop > end));
  for (;;) {
    const cut = model.within(first, end).filter(([page, entry]) => {
      const isInside = page >= first && page + model.pagesOf(entry) <= end;
      return entry.pfn >= 0 && !isInside && isMeant(entry);
    });
    if (cut.length === 0) return;
    for (const [page, entry] of cut) splitEntry(model, page, entry);
  }
}

/** Splits the leaves and runs of a range until none is larger than `leafShift`. */
export function splitTo(model: Model, first: number, end: number, leafShift: number): void {
  const largest = 2 ** (leafShift - model.geometry.pageShift);
  unmarkRuns(model, first, end, (_, start, stop) => stop - start > largest);
  for (;;) {
    const large = model
      .within(first, end)
      .filter(([, entry]) => entry.pfn >= 0 && model.pagesOf(entry) > largest);
    if (large.length === 0) return;
    for (const [page, entry] of large) splitEntry(model, page, entry);
  }
}
