import { wrongValue } from '../../check/members.js';
import { optionsOf } from '../../check/options.js';
import { checkSink } from '../../check/sink.js';
import type { EntryTemplate } from '../../entry-template.js';
import { shown, VmError } from '../../errors.js';
import type { Controls } from '../../format/access.js';
import type { PageTableFormat } from '../../format/page-table-format.js';
import { leafTemplate, type Plan, planOf } from '../../format/plan.js';
import { tableEntryOf } from '../../format/table-entry.js';
import { requireSound } from '../../format/validate.js';
import { arrayLoops } from '../../loops/shared-array-loops.js';
import type { FrameAllocator } from '../../memory/frames/frame-allocator.js';
import { isShared } from '../../memory/host.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import { type SharedTables, TableContext, type TablePlace } from './context.js';
import type { FlushSink } from './flush-sink.js';
import { controlsOf, openRoot, requireParts } from './open.js';
import { bankOfTable } from './table-banks.js';
import { TableRecords } from './table-records.js';
import type { TableSharing } from './table-sharing.js';
import { newTable } from './tables.js';

/** What a `PageTable` is made of. Without `threads`, one thread at a time may call the tables in one memory. */
export interface PageTableOptions<C extends Controls = Controls> {
  /** The page-table format. */
  readonly format: PageTableFormat<C>;
  /** The memory that holds the tables. */
  readonly memory: PhysicalMemory;
  /** Where tables come from. Its page size is the format's, and all its frames have bytes in `memory`. */
  readonly frames: FrameAllocator;
  /**
   * Physical address in bytes of an existing root. Its tables are never freed. A table that is added belongs
   * to the owner of the table above it, when that one comes from this allocator. Default: a new, empty root.
   */
  readonly root?: bigint;
  /**
   * Entries that point to tables that it makes: their bits without the address. A kernel's own are its policy's
   * `tableEntry`. A block whose pieces would lose a right below such an entry is cut with the format's in its
   * place. Default: the format's, which forbids nothing.
   */
  readonly tableEntry?: bigint;
  /**
   * Address-space id for flushes, where several roots share a sink: PCID or ASID, 0 to 65535. Default: 0.
   */
  readonly asid?: number;
  /** Who must forget translations that change. Default: nobody. */
  readonly sink?: FlushSink;
  /** Processor modes for walks and dumps that differ from `format.controls`. Default: none. */
  readonly controls?: Partial<C>;
  /**
   * The threads that share the table. `memory` and the state of `frames` are then shared memory. Default: one
   * thread.
   */
  readonly threads?: TableSharing;
}

/** The largest id: arm64 and riscv64 have 16 bits, x86-64's PCID has 12. */
const MAX_ASID = 65535;

const NAMES = [
  'format',
  'memory',
  'frames',
  'root',
  'tableEntry',
  'asid',
  'sink',
  'controls',
  'threads',
] as const;

/** Makes the context of a new root, or of one that exists. */
export function makeContext<C extends Controls>(options: PageTableOptions<C>): TableContext {
  const given = optionsOf<Partial<PageTableOptions<C>>>(options, NAMES, 'PageTable') as PageTableOptions<C>;
  requireParts(given);
  requireSound(given.format as PageTableFormat);
  const plan = planOf(given.format as PageTableFormat);
  const { memory, frames, root, tableEntry, asid = 0, sink = null, threads } = given;
  const adopted = adoptions.get(options);
  if (typeof frames?.tryAllocate !== 'function') {
    throw new VmError('EINVAL', 'a page table needs `frames`, a FrameAllocator for its tables', {
      advice: 'new FrameAllocator(memory) makes one; a PageTableReader needs none',
    });
  }
  if (!Number.isInteger(asid) || asid < 0 || asid > MAX_ASID)
    throw new VmError('EINVAL', `asid is ${shown(asid)}`, {
      advice: `pass an integer from 0 to ${MAX_ASID}`,
    });
  checkSink(given.sink);
  checkAllocator(plan, memory, frames);
  memory.useLoops(arrayLoops);
  const context = new TableContext(
    plan,
    tableEntry === undefined ? plan.link : linkOf(plan, tableEntry),
    memory,
    frames,
    adopted === undefined ? TableRecords.of(frames) : TableRecords.adopt(frames, adopted.records),
    sink,
    controlsOf(plan, given.controls),
    adopted?.owner,
  );
  context.isSharedOut = adopted !== undefined;
  if (threads !== undefined) context.sharing = sharingOf(threads, memory, frames);
  context.asid = asid;
  context.root = root === undefined ? newRoot(context) : openRoot(plan, memory, root);
  // Only once it has a root: a context that got none is not a page table, and no restore may find it.
  context.records?.watch(context);
  context.sharing?.attach(context);
  return context;
}

/** A page table of another thread that this one takes over: its records, and the owner of its tables. */
export interface Adoption {
  readonly records: SharedArrayBuffer;
  readonly owner: number;
}

/** By the options of a page table: that they are those of one that another thread has, too. */
export const adoptions: WeakMap<object, Adoption> = new WeakMap();

function sharingOf(threads: TableSharing, memory: PhysicalMemory, frames: FrameAllocator): SharedTables {
  if (typeof threads?.tables?.run !== 'function')
    throw wrongValue('threads', threads, 'what Threads.create() makes');
  if (
    !memory.banks.every((bank) => !bank.writable || bank.loops?.isShared === true) ||
    !isShared(frames.state)
  ) {
    throw new VmError('EINVAL', 'threads share memory and frames, and these are for one thread', {
      advice: 'make both with `shared: true`',
    });
  }
  return threads.tables;
}

/** Entries that point to tables, as the caller wants them. */
function linkOf(plan: Plan, tableEntry: bigint): EntryTemplate {
  const { lo, hi } = tableEntryOf(plan.format, tableEntry, '`tableEntry`');
  return leafTemplate(plan, lo, hi);
}

function newRoot(context: TableContext): TablePlace {
  const { plan } = context;
  const pfn = newTable(context, 0, -1, plan.rootOrder, 0);
  const bank = bankOfTable(context, pfn, 0);
  return { pfn, bank, word: bank.wordOf(pfn, plan.pageShift) };
}

/** The allocator must use this format's page size, and each of its frames must have writable bytes. */
function checkAllocator(plan: Plan, memory: PhysicalMemory, frames: FrameAllocator): void {
  if (frames.pageShift !== plan.pageShift) {
    throw new VmError(
      'EINVAL',
      `the allocator has pages of ${2 ** frames.pageShift} bytes, but ${plan.format.name} has ${2 ** plan.pageShift}`,
      { advice: `make one with pageShift ${plan.pageShift}` },
    );
  }
  const last = frames.first + frames.frames - 1;
  const bank = memory.bankOf(frames.first, plan.pageShift);
  // An allocator that was made over this memory has checked each of its frames, and left holes out.
  const isChecked = frames.memory === memory;
  if (!isChecked && (bank === null || bank.wordOf(last, plan.pageShift) < 0 || !bank.writable)) {
    throw new VmError(
      'EINVAL',
      `frames 0x${frames.first.toString(16)} to 0x${last.toString(16)} do not all have bytes in one writable bank`,
      { advice: 'tables need bytes: take them from an allocator over the memory' },
    );
  }
  if (last >= plan.pfnLimit) {
    throw new VmError(
      'EINVAL',
      `frame 0x${last.toString(16)} does not fit ${plan.format.paBits} physical address bits`,
    );
  }
}
