import { hex, shown, VmError } from '../errors.js';
import type { Controls } from '../format/access.js';
import { FrameAllocator } from '../memory/frames/frame-allocator.js';
import { auditFrames } from '../memory/frames/shared/audit-frames.js';
import { counted } from '../prints.js';
import { adoptTables } from '../process/shared/open-processes.js';
import { checkContext } from '../table/check/check-tables.js';
import { ReadableTable } from '../table/readable-table.js';
import type { TableContext } from '../table/state/context.js';
import { contextOf } from '../table/state/registry.js';
import { AddressSpace } from '../vmap/address-space.js';
import type { KernelSpace } from '../vmap/kernel-space.js';
import { faultsOf, type SpaceFault } from '../vmap/shared/faults.js';
import { Threads } from './threads.js';

/** Something that does not agree with the rest. */
export interface CheckFinding {
  /** Where it is: in page tables, in an allocator, in the areas of an address space, or in a process, an arena and the like. */
  readonly in: 'tables' | 'frames' | 'areas' | 'parts';
  /** Virtual address in bytes; `null` where it has none. */
  readonly address: bigint | null;
  /** A frame that it is about; `null` for none. */
  readonly pfn: number | null;
  /** What is wrong, in a sentence. */
  readonly text: string;
}

/** What `check` has found. */
export interface Check {
  /** Tables that were read. */
  readonly tables: number;
  /** Leaves that were read. */
  readonly leaves: number;
  /** What is wrong; empty when all agrees. At most some 1,000 for each page table, and 100 for each allocator. */
  readonly findings: readonly CheckFinding[];
}

/**
 * Checks that page tables, allocators and areas agree with each other, and changes nothing: a file-system check for
 * memory.
 *
 * - Of a page table or a reader, also over an image: what `checkTables` finds.
 * - Of an allocator: its words for frames against its free lists, counters and caches.
 * - Of an address space: its tables, and its areas against the leaves: nothing is mapped outside a live area, and what an
 *   area owns is mapped, allocated and marked.
 * - Of `Threads`: all of these that this thread shares.
 *
 * Call it while no thread is in a call.
 *
 * @throws VmError `EINVAL` for anything else, and for what was destroyed.
 * @example
 * ```ts
 * for (const { text } of check(kernel).findings) console.log(text);
 * ```
 */
export function check<C extends Controls = Controls>(
  thing: Threads | AddressSpace<C> | ReadableTable<C> | FrameAllocator,
): Check {
  const found: Found = { tables: 0, leaves: 0, findings: [] };
  if (thing instanceof Threads) checkGroup(thing, found);
  else if (thing instanceof AddressSpace) checkKernel(AddressSpace.spaceOf(thing as AddressSpace), found);
  else if (thing instanceof FrameAllocator) checkFrames(thing, found);
  else if (thing instanceof ReadableTable) checkTree(contextOf(thing), found);
  else
    throw new VmError('EINVAL', `check() cannot check ${shown(thing)}`, {
      advice: 'pass Threads, an AddressSpace, a PageTable or its reader, or a FrameAllocator',
    });
  return found;
}

interface Found {
  tables: number;
  leaves: number;
  readonly findings: CheckFinding[];
}

function checkGroup(threads: Threads, found: Found): void {
  for (const space of threads.here.spaces) if (!space.lock.isDestroyed) adoptTables(space);
  for (const frames of threads.allocators) checkFrames(frames, found);
  for (const context of threads.tables.contexts) if (!context.isDestroyed) checkTree(context, found);
  for (const space of threads.here.spaces) if (!space.lock.isDestroyed) checkAreas(space, found);
  for (const part of threads.here.parts)
    for (const text of part.check())
      found.findings.push({ in: 'parts', address: null, pfn: null, text: `${part.name}: ${text}` });
}

function checkKernel(space: KernelSpace, found: Found): void {
  space.lock.requireLive();
  checkTree(contextOf(space.table), found);
  checkAreas(space, found);
}

function checkFrames(frames: FrameAllocator, { findings }: Found): void {
  for (const { pfn, what } of auditFrames(frames)) {
    const where = pfn === null ? 'the allocator' : `frame 0x${pfn.toString(16)}`;
    findings.push({ in: 'frames', address: null, pfn, text: `${where}: ${what}` });
  }
}

function checkTree(context: TableContext, found: Found): void {
  const { tables, leaves, findings } = checkContext(context);
  found.tables += tables;
  found.leaves += leaves;
  for (const { va, pfn, text } of findings) found.findings.push({ in: 'tables', address: va, pfn, text });
}

function checkAreas(space: KernelSpace, { findings }: Found): void {
  space.look();
  for (const fault of faultsOf(space))
    findings.push({
      in: 'areas',
      address: fault.address,
      pfn: fault.frame < 0 ? null : fault.frame,
      text: sentenceOf(fault),
    });
}

function sentenceOf({ kind, address, pages, frame }: SpaceFault): string {
  const where = `${hex(address)}: ${counted(pages, 'page')}`;
  switch (kind) {
    case 'leaf-outside':
      return `${where} mapped outside every live area`;
    case 'guard-mapped':
      return `${where} of a guard mapped`;
    case 'overlap':
      return `${where} in two areas`;
    case 'owned-missing':
      return `${where} owned by the area and not mapped`;
    case 'not-marked':
      return `${where} from frame 0x${frame.toString(16)} on: owned by the area, but not allocated or not marked`;
  }
}
