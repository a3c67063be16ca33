import { joinWords } from '@vmarea/core';
import { factsOf } from './explain.js';
import { SortedFrames } from './sorted-frames.js';
import type { StaleRun } from './stale-run.js';
import type { State } from './state.js';
import type { TableNode } from './table-node.js';
import type { WatchedRoot } from './watched-root.js';

/** Frames of an allocator were freed or handed out, in one call. */
export interface FramesMoved {
  readonly pfns: ArrayLike<number>;
  readonly order: number;
  /** log2 of the allocator's frame in bytes; `null` for the page of each format. */
  readonly pageShift: number | null;
  readonly isFreed: boolean;
}

/** Reports what may still be cached of frames that were freed or handed out. */
export function judgeFrames(state: State, moved: FramesMoved): void {
  const { pfns, order, isFreed } = moved;
  for (const run of state.stale.runs) {
    if (run.parts.kind === 'none') continue;
    const scale = scaleOf(moved, run.parts.root);
    judgeRun(state, run, new SortedFrames(pfns, order, scale), isFreed);
  }
  if (!isFreed) return;
  for (const root of [...state.roots]) {
    const scale = scaleOf(moved, root);
    for (let i = 0; i < pfns.length; i++)
      for (let frame = 0; frame < Math.max(1, 2 ** order * scale); frame++)
        judgeLinked(state, root, Math.floor((pfns[i] as number) * scale) + frame);
  }
}

/** Pages of a root's format in a frame of the allocator. */
function scaleOf({ pageShift }: FramesMoved, { format }: WatchedRoot): number {
  return 2 ** ((pageShift ?? format.pageShift) - format.pageShift);
}

function judgeRun(state: State, run: StaleRun, frames: SortedFrames, isFreed: boolean): void {
  const { kind, count, reader } = run.parts;
  if (frames.firstIn(...run.frames) < 0) return;
  const pages = kind === 'table' ? 1 : reader.pages;
  let first = -1;
  let entries = 0;
  for (let entry = 0; entry < count; entry++) {
    const frame = run.frame(entry);
    if (frames.firstIn(frame, frame + pages) < 0) continue;
    if (first < 0) first = entry;
    entries++;
  }
  if (first < 0) return;
  if (isFreed) run.freedAt = state.event;
  const code = `${kind === 'table' ? 'table' : 'frame'}-${isFreed ? 'freed' : 'reused'}` as const;
  state.reports.add(factsOf(run, { code, at: state.event, entry: first, entries }));
}

/** A table that is still linked was freed. */
function judgeLinked(state: State, root: WatchedRoot, pfn: number): void {
  for (const node of root.tree.tablesIn(pfn)) reportLinked(state, root, node);
  if (root.pfn !== pfn) return;
  // Its bytes may be anything from now on.
  state.roots.splice(state.roots.indexOf(root), 1);
  root.tree.end();
}

function reportLinked(state: State, root: WatchedRoot, node: TableNode): void {
  const link = node.parents[0] ?? { node, index: 0 };
  const above = root.tree.readerOf(link.node);
  const words = link.node.copy;
  const entry = joinWords(words[2 * link.index] as number, words[2 * link.index + 1] as number);
  const page = root.tree.pagesOf(node)[0] ?? 0;
  state.reports.add({
    ...{ code: 'table-freed', class: 'error', cause: 'linked', changedAt: 0, flushAt: 0, at: state.event },
    ...{ processor: state.processors[0] as number, processors: state.processors, asid: root.asid },
    va: root.address(root.absolute(page)),
    bytes: 1n << BigInt(above.level.shift),
    level: above.level.name,
    entryAddress: root.entryAddress(link.node.pfn, above.index, link.index),
    ...{ before: entry, after: entry, frame: node.pfn },
  });
}
