import { VmError } from '../../errors.js';
import type { Controls } from '../../format/access.js';
import type { PageTableFormat } from '../../format/page-table-format.js';
import type { FrameAllocator } from '../../memory/frames/frame-allocator.js';
import { isShared } from '../../memory/host.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import { joinWords } from '../../words.js';
import { PageTable } from '../page-table.js';
import type { FlushSink } from '../state/flush-sink.js';
import { adoptions } from '../state/make.js';
import { contextOf } from '../state/registry.js';
import type { TableSharing } from '../state/table-sharing.js';

/** A page table that threads share, for `postMessage` or `workerData`. */
export interface TableDescription {
  /** Name of its format. */
  readonly format: string;
  /** Physical address of the root in bytes. */
  readonly root: bigint;
  /** Who owns its tables, in the records. */
  readonly owner: number;
  readonly records: SharedArrayBuffer;
  /** As the options of `PageTable`. */
  readonly tableEntry: bigint;
  readonly asid: number;
  readonly controls: Readonly<Record<string, unknown>>;
}

/** What a thread brings to a page table that it shares. */
export interface TableParts<C extends Controls = Controls> {
  readonly format: PageTableFormat<C>;
  readonly memory: PhysicalMemory;
  readonly frames: FrameAllocator;
  readonly threads: TableSharing;
  readonly sink?: FlushSink;
}

/**
 * Describes a page table to another thread.
 *
 * @throws VmError `EINVAL` for one that was not made with `threads`, or that was destroyed.
 */
export function describeTable<C extends Controls>(table: PageTable<C>): TableDescription {
  const context = contextOf(table);
  const { plan, records, owner, link, asid, controls, sharing } = context;
  if (sharing === null || records === null || !isShared(records.state)) {
    throw new VmError('EINVAL', 'this page table is for one thread', {
      advice: 'make it with `threads`, and memory and frames with `shared: true`',
    });
  }
  context.isSharedOut = true;
  return {
    ...{ format: plan.format.name, root: table.root, owner, records: records.state, asid },
    tableEntry: joinWords(link.lo, link.hi),
    controls: { ...controls } as Readonly<Record<string, unknown>>,
  };
}

/**
 * The page table of a description, for this thread. Each thread has an object of its own over the same tables.
 *
 * @throws VmError `EINVAL` for another format, or frames and memory that are not those of the description.
 */
export function adoptTable<C extends Controls>(
  description: TableDescription,
  { format, memory, frames, threads, sink }: TableParts<C>,
): PageTable<C> {
  const { root, owner, records, tableEntry, asid, controls } = description;
  if (format.name !== description.format) {
    throw new VmError('EINVAL', `the page table is of ${description.format}, not of ${format.name}`, {
      advice: 'pass the same format as the thread that shares it',
    });
  }
  const options = {
    ...{ format, memory, frames, root, tableEntry, asid, threads },
    controls: controls as Partial<C>,
    ...(sink === undefined ? {} : { sink }),
  };
  adoptions.set(options, { records, owner });
  return new PageTable<C>(options);
}
