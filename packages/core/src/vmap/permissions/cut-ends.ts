import type { AddressWindow } from '../../area/page-units.js';
import { VmError } from '../../errors.js';
import type { Protection } from '../../format/protection.js';
import { collapseLeaves } from '../../table/change/resize/collapse.js';
import { splitLeaves } from '../../table/change/resize/split.js';
import { runOf } from '../../table/show/leaf-sizes.js';
import type { KernelSpace } from '../kernel-space.js';

/** Ranges without overlaps: a frame that is mapped twice has one alias. */
export function apart(ranges: readonly AddressWindow[]): AddressWindow[] {
  const sorted = [...ranges].sort((a, b) => (a.start < b.start ? -1 : 1));
  const found: { start: bigint; end: bigint }[] = [];
  for (const { start, end } of sorted) {
    const before = found.at(-1);
    if (before === undefined || start > before.end) found.push({ start, end });
    else if (end > before.end) before.end = end;
  }
  return found;
}

/**
 * Splits leaves that reach beyond an end of a range. This changes no translation, but may need memory.
 *
 * @returns a function that puts the leaves together again.
 * @throws VmError `ENOMEM` when there is no frame for a table; all leaves are then as they were.
 */
export function cutAtEnds(space: KernelSpace, ranges: readonly AddressWindow[]): () => void {
  const { table, pages } = space;
  const done: { readonly va: bigint; readonly bytes: bigint }[] = [];
  const undo = (): void => {
    for (const { va, bytes } of done.reverse())
      try {
        collapseLeaves(table, va, bytes);
      } catch {
        // The sink throws again. These leaves stay smaller but translate the same, and the others are still
        // put together.
      }
  };
  try {
    for (const range of ranges)
      for (const page of [range.start, range.end - pages]) {
        const around = leafAround(space, page);
        if (isInside(around, range)) continue;
        splitLeaves(table, page, pages);
        done.push(around);
      }
  } catch (error) {
    undo();
    throw error;
  }
  return undo;
}

/** @throws VmError `EINVAL` when a range ends inside a leaf or a run, and the architecture splits none. */
export function requireWhole(space: KernelSpace, range: AddressWindow): void {
  for (const page of [range.start, range.end - space.pages])
    if (!isInside(leafAround(space, page), range))
      throw new VmError('EINVAL', 'the range ends inside a leaf or a contiguous run', {
        address: page,
        advice: 'this architecture does not split it; name all of it',
      });
}

/**
 * A range without the parts of leaves at its ends that already have the wanted permissions, so that nothing
 * is split for them.
 *
 * @returns `null` when nothing is left.
 */
export function withoutUnchanged(
  space: KernelSpace,
  range: AddressWindow,
  fields: Partial<Protection>,
): AddressWindow | null {
  let { start, end } = range;
  const first = leafAround(space, start);
  if (!isInside(first, range) && isAlready(space, start, fields)) start = first.va + first.bytes;
  if (start >= end) return null;
  const last = leafAround(space, end - space.pages);
  if (!isInside(last, { start, end }) && isAlready(space, end - space.pages, fields)) end = last.va;
  return start < end ? { start, end } : null;
}

function isAlready({ table }: KernelSpace, page: bigint, fields: Partial<Protection>): boolean {
  const { leaf } = table.walk(page);
  const members = Object.keys(fields) as (keyof Protection)[];
  return leaf !== null && members.every((member) => leaf.protection[member] === fields[member]);
}

function isInside({ va, bytes }: { va: bigint; bytes: bigint }, { start, end }: AddressWindow): boolean {
  return va >= start && va + bytes <= end;
}

/** The leaf that maps a page, or the run that the leaf is in. The page itself when nothing is mapped. */
function leafAround({ table, format, pages }: KernelSpace, page: bigint): { va: bigint; bytes: bigint } {
  const { steps, leaf } = table.walk(page);
  const step = steps.at(-1);
  if (leaf === null || step === undefined) return { va: page, bytes: pages };
  const entries = runOf(format, step.level, step.entry)?.entries ?? 1;
  const bytes = BigInt(entries) << BigInt(leaf.leafShift);
  return { va: page - (page % bytes), bytes };
}
