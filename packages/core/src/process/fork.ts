import { integerOption } from '../check/members.js';
import { optionsOf } from '../check/options.js';
import type { MapPiece } from '../table/options.js';
import type { FlushSink } from '../table/state/flush-sink.js';
import { FORK_OPTIONS, type ForkOptions, type ProcessOptions } from './options.js';
import type { Counted } from './page-references.js';
import { countedIn, letGo, piecesOf } from './pages.js';
import { ProcessSpace } from './process-space.js';
import { VM_DONTCOPY, VM_MAYWRITE, VM_MIXEDMAP, VM_PFNMAP, VM_SHARED } from './region-flags.js';
import { RegionChanges } from './region-list.js';
import type { RegionProcess } from './region-operations.js';
import type { RegionRecord } from './region-record.js';

/**
 * `dup_mmap`: a process with copies of the regions. Private pages are shared by both until one writes.
 *
 * Source: Linux 6.12, `dup_mmap` in `kernel/fork.c`, `copy_page_range` and `vma_needs_copy` in `mm/memory.c`.
 *
 * @param own - what the parent was made of.
 * @param faceOf - makes what callers hold of the child.
 */
export function fork<Face extends RegionProcess>(
  parent: ProcessSpace,
  own: ProcessOptions,
  options: ForkOptions | undefined,
  faceOf: (child: ProcessSpace, options: ProcessOptions) => Face,
): Face {
  const given = optionsOf(options, FORK_OPTIONS, 'fork()');
  const asid = given.asid === undefined ? undefined : integerOption(given, 'asid', 0, 65535);
  const sink = (given.sink ?? own.sink) as FlushSink | undefined;
  return parent.lock.change(() => {
    const { asid: _, sink: __, ...rest } = own;
    const parts: ProcessOptions = {
      ...rest,
      ...(asid === undefined ? {} : { asid }),
      ...(sink === undefined ? {} : { sink }),
    };
    const child = new ProcessSpace(parts);
    const face = faceOf(child, parts);
    // Operations see the child before it is whole: they must not change it.
    child.lock.change(() => fill(parent, child));
    return face;
  });
}

/** Copies regions and pages into a new process. When it fails, the new process is gone. */
function fill(parent: ProcessSpace, child: ProcessSpace): void {
  const changes = new RegionChanges(child.list);
  const opened: RegionRecord[] = [];
  const taken: Counted[] = [];
  try {
    const copied = parent.list.all.filter(({ bits }) => (bits & VM_DONTCOPY) === 0);
    for (const region of copied) {
      const made = region.part(region.first, region.end, child);
      made.anon = region.anon === 0 ? 0 : ++parent.half.families;
      made.isForked = region.anon !== 0;
      changes.add(made);
    }
    for (const made of child.list.all) {
      if (made.operations?.open === undefined) continue;
      made.operations.open(child.handleOf(made));
      opened.push(made);
    }
    const needed = copied.filter(needsCopy);
    const pieces = needed.flatMap((region) => copiesOf(parent, region));
    if (pieces.length > 0) child.table.mapMany(pieces);
    for (const region of needed) {
      for (const one of countedIn(parent, [region], region.first, region.end)) {
        one.counts.take(one.pfn);
        taken.push(one);
      }
    }
    const closed = needed.filter(isCopiedOnWrite).map(({ first, end }) => ({
      va: parent.addressOf(first),
      bytes: parent.addressOf(end - first),
    }));
    // Last, since a flush cannot be undone.
    if (closed.length > 0) parent.table.protectMany(closed, { write: false });
  } catch (error) {
    changes.undo();
    for (const region of opened.reverse()) {
      try {
        region.operations?.close?.(child.handleOf(region));
      } catch {
        // The error that ended the fork is the one to report.
      }
    }
    child.half.remove(child);
    child.flushes.silence();
    child.destroyTables();
    letGo(taken);
    throw error;
  }
}

/** Whether the child needs the pages of a region at once. Others are found again by its faults. */
function needsCopy({ bits, anon }: RegionRecord): boolean {
  return (bits & (VM_PFNMAP | VM_MIXEDMAP)) !== 0 || anon !== 0;
}

/** `is_cow_mapping`. */
function isCopiedOnWrite({ bits }: RegionRecord): boolean {
  return (bits & (VM_SHARED | VM_MAYWRITE)) === VM_MAYWRITE;
}

/**
 * The pages of a region for the child: clean, and not accessed yet. Private ones cannot be written. Linux keeps them
 * dirty in a bit of software, for swap.
 *
 * Source: Linux 6.12, `__copy_present_ptes` in `mm/memory.c`.
 */
function copiesOf(parent: ProcessSpace, region: RegionRecord): MapPiece[] {
  const closed = isCopiedOnWrite(region) ? { write: false } : {};
  return piecesOf(parent, region.first, region.end).map((piece) => ({
    ...piece,
    protection: { ...piece.protection, ...closed, accessed: false, dirty: false },
  }));
}
