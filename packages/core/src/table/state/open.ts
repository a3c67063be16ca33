import { VmError } from '../../errors.js';
import type { Controls } from '../../format/access.js';
import type { PageTableFormat } from '../../format/page-table-format.js';
import { type LevelPlan, type Plan, planOf } from '../../format/plan.js';
import type { FrameAllocator } from '../../memory/frames/frame-allocator.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import { bankOfTable, newTable, TableContext, type TablePlace } from './context.js';
import type { FlushSink } from './flush.js';

/** What a page table is made of. Calls on tables in one memory come from one thread at a time. */
export interface PageTableOptions<C extends Controls = Controls> {
  /** The page-table format. */
  readonly format: PageTableFormat<C>;
  /** The memory that holds the tables. */
  readonly memory: PhysicalMemory;
  /** Where tables come from. Its page size is the format's, and all its frames have bytes in `memory`. */
  readonly frames: FrameAllocator;
  /** Who must forget translations that change; none by default. */
  readonly sink?: FlushSink;
}

/** What existing tables are opened with. */
export interface OpenOptions<C extends Controls = Controls> {
  /** The page-table format. */
  readonly format: PageTableFormat<C>;
  /** The memory that holds the tables: guest RAM, or an image. */
  readonly memory: PhysicalMemory;
  /** Physical address of the root table in bytes, without the other bits of CR3, TTBR or satp. */
  readonly root: bigint;
  /** Where new tables come from; without it the tables are only read. */
  readonly frames?: FrameAllocator;
  /** Who must forget translations that change. */
  readonly sink?: FlushSink;
}

/** arm64 tables start at a multiple of 64 bytes at least; no format aligns its root less. */
const MIN_ROOT_BYTES = 64;

/** Makes the context of a new root, or of one that exists. */
export function makeContext<C extends Controls>(options: PageTableOptions<C> | OpenOptions<C>): TableContext {
  // By what they can do, not by class: the ES and the CommonJS build of this package each have their own.
  if (
    typeof options?.memory?.bankOf !== 'function' ||
    typeof options.format !== 'object' ||
    options.format === null
  ) {
    throw new VmError('EINVAL', 'a page table needs `format` and `memory`', {
      advice: 'memory is a PhysicalMemory: PhysicalMemory.over(buffer) makes one',
    });
  }
  const plan = planOf(options.format as PageTableFormat);
  const { memory } = options;
  const frames = options.frames ?? null;
  if (frames === null && !('root' in options)) {
    throw new VmError('EINVAL', 'a page table needs `frames` for its tables, or the `root` of existing ones');
  }
  if (frames !== null && typeof frames.tryAllocate !== 'function') {
    throw new VmError('EINVAL', '`frames` is no FrameAllocator', {
      advice: 'new FrameAllocator(memory) makes one',
    });
  }
  if (frames !== null) checkFrames(plan, memory, frames);
  const context = new TableContext(plan, memory, frames, options.sink ?? null);
  context.root = 'root' in options ? openRoot(plan, memory, options.root) : newRoot(context);
  // Not before it has a root: one that gets none is no page table, and nobody's restore may meet it.
  context.records?.watch(context);
  return context;
}

function newRoot(context: TableContext): TablePlace {
  const { plan } = context;
  const pfn = newTable(context, 0, -1, plan.rootOrder, 0);
  const bank = bankOfTable(context, pfn, 0);
  return { pfn, bank, word: bank.wordOf(pfn, plan.pageShift) };
}

/** The allocator must deal in this format's pages, and each of its frames must have bytes that can be written. */
function checkFrames(plan: Plan, memory: PhysicalMemory, frames: FrameAllocator): void {
  if (frames.pageShift !== plan.pageShift) {
    throw new VmError(
      'EINVAL',
      `the allocator has pages of ${2 ** frames.pageShift} bytes, ${plan.format.name} of ${2 ** plan.pageShift}`,
      { advice: `make one with pageShift ${plan.pageShift}` },
    );
  }
  const last = frames.first + frames.frames - 1;
  const bank = memory.bankOf(frames.first, plan.pageShift);
  // An allocator that was made over this memory has checked its frames one by one, holes left out.
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

function openRoot(plan: Plan, memory: PhysicalMemory, root: bigint): TablePlace {
  const { pageShift } = plan;
  if (typeof root !== 'bigint')
    throw new VmError('EINVAL', `the root has type ${typeof root}, expected bigint: its physical address`);
  if (root < 0n || root >> BigInt(plan.format.paBits) !== 0n) {
    throw new VmError(
      'EINVAL',
      `the root ${root < 0n ? root : `0x${root.toString(16)}`} does not fit ${plan.format.paBits} address bits`,
    );
  }
  const bytes = Math.max(MIN_ROOT_BYTES, (plan.levels[0] as LevelPlan).entries * 8);
  if (root % BigInt(bytes) !== 0n) {
    throw new VmError('EINVAL', `the root is not a multiple of its size 0x${bytes.toString(16)}`, {
      address: root,
      advice: 'pass the table address alone, without the low bits of the register',
    });
  }
  const pfn = Number(root >> BigInt(pageShift));
  const location = memory.locate(pfn, pageShift);
  if (location === null)
    throw new VmError('EFAULT', 'the memory has no bytes at the root', { address: root });
  for (let i = 1; i < 2 ** plan.rootOrder; i++) {
    if (location.bank.wordOf(pfn + i, pageShift) !== location.word + i * plan.pageWords) {
      throw new VmError('EFAULT', `the memory lacks frame ${i} of the root`, { address: root });
    }
  }
  return {
    pfn,
    bank: location.bank,
    word: location.word + Number(root & ((1n << BigInt(pageShift)) - 1n)) / 4,
  };
}
