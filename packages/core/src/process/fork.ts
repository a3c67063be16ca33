import { integerOption } from '../check/members.js';
import { optionsOf } from '../check/options.js';
import type { MapPiece } from '../table/options.js';
import type { FlushSink } from '../table/state/flush-sink.js';
import { FORK_OPTIONS, type ForkOptions, type ProcessOptions } from './options.js';
import type { Counted } from './page-references.js';
import { countedIn, letGo, piecesOf } from './pages.js';
import { makeProcess, type ProcessSpace, type RegionCall } from './process-space.js';
import { VM_DONTCOPY, VM_MAYWRITE, VM_MIXEDMAP, VM_PFNMAP, VM_SHARED } from './region-flags.js';
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
    parent.requireKnown(parent.list.all.filter(isCopied));
    const { asid: _, sink: __, ...rest } = own;
    const parts: ProcessOptions = {
      ...rest,
      ...(asid === undefined ? {} : { asid }),
      ...(sink === undefined ? {} : { sink }),
    };
    const child = makeProcess(parts);
    const face = faceOf(child, parts);
    const taken: Counted[] = [];
    try {
      // Operations see the child before it is whole: they must not change it.
      child.call((call) => fill(parent, child, call, taken));
    } catch (error) {
      const { half } = child;
      child.flushes.silence();
      half.list.locked(() => {
        child.destroyTables();
        half.remove(child);
      });
      letGo(taken);
      throw error;
    }
    child.threads?.open();
    return face;
  });
}

/** Copies regions and pages into a new process. The references that it takes are noted: when it fails, they go back. */
function fill(parent: ProcessSpace, child: ProcessSpace, call: RegionCall, taken: Counted[]): void {
  const copied = parent.list.all.filter(isCopied);
  call.changes.addAll(
    copied.map((region) => {
      const made = region.part(region.first, region.end, child);
      made.anon = region.anon === 0 ? 0 : parent.half.list.newFamily();
      made.isForked = region.anon !== 0;
      return made;
    }),
  );
  for (const made of child.list.all) {
    if (made.operations?.open === undefined) continue;
    made.operations.open(child.handleOf(made));
    call.opened.push(made);
  }
  const needed = copied.filter(needsCopy);
  for (const region of needed) {
    for (const one of countedIn(parent, [region], region.first, region.end)) {
      // Before it is mapped: a thread that dies in between leaves a count that is too large, never one that is too small.
      one.counts.take(one.pfn);
      taken.push(one);
    }
  }
  const pieces = needed.flatMap((region) => copiesOf(parent, region));
  if (pieces.length > 0) child.table.mapMany(pieces);
  const closed = needed.filter(isCopiedOnWrite).map(({ first, end }) => ({
    va: parent.addressOf(first),
    bytes: parent.addressOf(end - first),
  }));
  // Last, since a flush cannot be undone.
  if (closed.length > 0) parent.table.protectMany(closed, { write: false });
}

function isCopied({ bits }: RegionRecord): boolean {
  return (bits & VM_DONTCOPY) === 0;
}

/**
 * Whether the child needs the pages of a region at once. Others are found again by its faults. Where threads share the process, these are
 * also the pages of operations: another thread may unmap one while it is copied.
 */
function needsCopy({ bits, anon, kind }: RegionRecord): boolean {
  if (kind !== 0 && (bits & VM_SHARED) !== 0) return false;
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
