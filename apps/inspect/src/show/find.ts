import {
  findMappings,
  type LeafRun,
  listLeaves,
  type MemoryType,
  type PageTableReader,
  type UnlistedSpan,
  VmError,
} from '@vmarea/core';
import { greatest, least, type Region, regionAt, TOP } from '../machines/region.js';
import { type LeafRow, leafRow, type UnlistedRow, unlistedRow } from './rows.js';

/** What `findRuns` looks for. All that is given must hold. */
export interface FindFilter {
  /** Rights that all levels together must leave, or take. */
  readonly readable?: boolean;
  readonly writable?: boolean;
  readonly executable?: boolean;
  /** True: pages of user mode. False: pages of the kernel. */
  readonly user?: boolean;
  readonly global?: boolean;
  readonly accessed?: boolean;
  readonly dirty?: boolean;
  readonly memory?: MemoryType;
  /** Bytes of one leaf. */
  readonly leafBytes?: bigint;
  /** The name of a region, as `kernelLayout` has it. */
  readonly region?: string;
  /** First physical address, in bytes, with `physicalBytes`. */
  readonly physical?: bigint;
  /** Default: 1, which is the frame of that byte. */
  readonly physicalBytes?: bigint;
  /** First virtual address, in bytes, with `bytes`. */
  readonly va?: bigint;
  readonly bytes?: bigint;
}

/** A part of a run that was looked for. */
export interface FoundRow extends LeafRow {
  /** True when the run maps more than what was found: the leaves are larger. */
  readonly isPart: boolean;
}

/**
 * Finds runs by rights, owner, memory type, size, region and frames, in address order.
 *
 * A table that is met again is listed again, as far as the work stays bounded (`listLeaves`). What is not listed is a row of kind
 * `missing` or `again`.
 *
 * @param regions - from `kernelLayout`.
 * @throws VmError `EINVAL` or `ERANGE` for an invalid range.
 * @example
 * ```ts
 * for (const row of findRuns(table, { writable: true, executable: true }, regions)) console.log(row);
 * ```
 */
export function* findRuns(
  table: PageTableReader,
  filter: FindFilter,
  regions: readonly Region[],
): IterableIterator<FoundRow | UnlistedRow> {
  const { format } = table;
  if (filter.physicalBytes !== undefined && filter.physical === undefined)
    throw new VmError('EINVAL', 'a number of physical bytes needs a physical address');
  for (const { run, va, pa, bytes } of candidates(table, filter)) {
    if ('entry' in run) {
      yield unlistedRow(format, run, regions);
      continue;
    }
    if (!matches(run, filter)) continue;
    // A run may reach over the border of a region.
    for (let done = 0n; done < bytes; ) {
      const { region, end } = regionAt(regions, va + done, pa + done);
      const part = least(end - va - done, bytes - done);
      if (filter.region === undefined || region?.name === filter.region) {
        const row = leafRow(format, { ...run, va: va + done, pa: pa + done, bytes: part }, regions);
        const count = Math.max(1, Number(part >> BigInt(run.leafShift)));
        yield { ...row, count, isPart: part < row.leafBytes };
      }
      done += part;
    }
  }
}

/** Something that may be what is looked for, and which part of it. */
interface Part {
  readonly run: LeafRun | UnlistedSpan;
  readonly va: bigint;
  readonly pa: bigint;
  readonly bytes: bigint;
}

function* candidates(table: PageTableReader, filter: FindFilter): IterableIterator<Part> {
  const { physical, physicalBytes = 1n, va, bytes } = filter;
  if (physical === undefined) {
    for (const run of listLeaves(table, { ...rangeOf(va, bytes), again: 'list' }))
      yield { run, va: run.va, pa: run.pa, bytes: run.bytes };
    return;
  }
  const virtual = { first: va ?? 0n, end: (va ?? 0n) + (va === undefined ? TOP : (bytes ?? 1n)) };
  for (const item of findMappings(table, { physical, bytes: physicalBytes })) {
    const skipped = greatest(0n, virtual.first - item.va);
    const end = least(item.bytes, virtual.end - item.va);
    if (skipped >= end) continue;
    if (item.kind !== 'mapping') yield { run: item, va: item.va, pa: item.pa, bytes: item.bytes };
    else yield { run: item.leaves, va: item.va + skipped, pa: item.pa + skipped, bytes: end - skipped };
  }
}

function rangeOf(
  va: bigint | undefined,
  bytes: bigint | undefined,
): { readonly va?: bigint; readonly bytes?: bigint } {
  return va === undefined ? {} : { va, bytes: bytes ?? 1n };
}

function matches({ rights, protection, leafShift }: LeafRun, filter: FindFilter): boolean {
  const isSame = (asked: unknown, found: unknown): boolean => asked === undefined || asked === found;
  return (
    isSame(filter.readable, rights.read) &&
    isSame(filter.writable, rights.write) &&
    isSame(filter.executable, rights.execute) &&
    isSame(filter.user, rights.user) &&
    isSame(filter.global, protection.global) &&
    isSame(filter.accessed, protection.accessed) &&
    isSame(filter.dirty, protection.dirty) &&
    isSame(filter.memory, protection.memory) &&
    isSame(filter.leafBytes, 1n << BigInt(leafShift))
  );
}
