import { listLeaves, type PageTableFormat, PageTableReader, VmError } from '@vmarea/core';
import { findProcesses, type Image, type ProcessesOptions, type RootCandidate } from '@vmarea/image';

/** A process, by its root. */
export interface ProcessRow {
  /** Physical address of the root table in bytes. */
  readonly root: bigint;
  /** The root of user mode, where the kernel hides itself; `null` where it does not. */
  readonly userRoot: bigint | null;
  /** Entries of the root in the process's own half. */
  readonly entries: number;
  /** Tables of that half that the dump lacks. What they map is in no other member. */
  readonly missing: number;
  /** Tables that were met too often to be listed again. What they map is in no other member. */
  readonly again: number;
  /** Bytes of addresses that it maps for user mode. */
  readonly userBytes: bigint;
  /** The lowest and the highest address of them; `null` when it maps none. */
  readonly lowest: bigint | null;
  readonly highest: bigint | null;
}

/**
 * Finds the roots of all processes of a kernel without symbols, and counts what each maps for user mode.
 *
 * @param kernel - the kernel's root, a candidate of `findRoots`.
 * @throws VmError `EOPNOTSUPP`, at the first row, where a process's root has nothing of the kernel by which it could be told: arm64.
 */
export function* listProcesses(
  image: Image,
  kernel: RootCandidate,
  options?: ProcessesOptions,
): Generator<ProcessRow, void, undefined> {
  const format = kernel.table?.format;
  const found = findProcesses(image, kernel, options);
  if (found === null || format === undefined)
    throw new VmError('EOPNOTSUPP', "a process's root of this architecture has nothing of the kernel", {
      advice:
        'so nothing tells it from other tables: name it by a register (TTBR0) of its thread or its mm_struct',
    });
  for (const { root, userRoot, entries } of found)
    yield { root, userRoot, entries, ...userPart(image, format, root) };
}

function userPart(
  { memory }: Image,
  format: PageTableFormat,
  root: bigint,
): Pick<ProcessRow, 'missing' | 'again' | 'userBytes' | 'lowest' | 'highest'> {
  const table = new PageTableReader({ format, memory, root });
  const unlisted = { missing: 0, again: 0 };
  let userBytes = 0n;
  let lowest: bigint | null = null;
  let highest: bigint | null = null;
  const half = { va: 0n, bytes: 1n << BigInt(format.range.bits - 1) };
  for (const item of listLeaves(table, { ...half, again: 'list' })) {
    if (item.kind !== 'leaves') unlisted[item.kind]++;
    if (item.kind !== 'leaves' || !item.protection.user) continue;
    userBytes += item.bytes;
    lowest ??= item.va;
    highest = item.va + item.bytes - 1n;
  }
  return { ...unlisted, userBytes, lowest, highest };
}
