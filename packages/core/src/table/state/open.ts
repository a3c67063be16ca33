import { checkAddress } from '../../check/address.js';
import { completeControls } from '../../check/controls.js';
import { wrongValue } from '../../check/members.js';
import { optionsOf } from '../../check/options.js';
import { VmError } from '../../errors.js';
import type { Controls } from '../../format/access.js';
import type { PageTableFormat } from '../../format/page-table-format.js';
import { type LevelPlan, type Plan, planOf } from '../../format/plan.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import { TableContext, type TablePlace } from './context.js';

/**
 * What a `PageTableReader` is made of. What a format's `…FromRegisters` says of a root can be spread in:
 * `{ ...tables, memory }`.
 */
export interface ReaderOptions<C extends Controls = Controls> {
  /** The page-table format. */
  readonly format: PageTableFormat<C>;
  /** The memory that holds the tables: guest RAM, or an image. */
  readonly memory: PhysicalMemory;
  /** Physical address of the root table in bytes, without the other bits of CR3, TTBR or satp. */
  readonly root: bigint;
  /** Processor modes for walks and dumps that differ from `format.controls`. Default: none. */
  readonly controls?: Partial<C>;
}

/** An arm64 root is aligned to 64 bytes at least. No format aligns its root to less. */
const MIN_ROOT_BYTES = 64;

/** Makes the context of a root that is only read. */
export function openContext<C extends Controls>(options: ReaderOptions<C>): TableContext {
  const given = optionsOf<Partial<ReaderOptions<C>>>(options, NAMES, 'PageTableReader') as ReaderOptions<C>;
  requireParts(given);
  const plan = planOf(given.format as PageTableFormat);
  const controls = controlsOf(plan, given.controls);
  const context = new TableContext(plan, plan.link, given.memory, null, null, null, controls);
  context.root = openRoot(plan, given.memory, given.root);
  return context;
}

const NAMES = ['format', 'memory', 'root', 'controls'] as const;

/** A table's complete controls: the format's, with the given ones in their place. */
export function controlsOf(plan: Plan, given: Partial<Controls> | undefined): Controls {
  return completeControls<Controls>(plan.format.controls, given, plan.format.name);
}

/**
 * Checks that there is a format and a memory.
 *
 * By what they can do, not by class: the ES and the CommonJS build of this package have separate classes.
 *
 * @throws VmError `EINVAL` when one is missing or is something else.
 */
export function requireParts<C extends Controls>(options: {
  readonly format: PageTableFormat<C>;
  readonly memory: PhysicalMemory;
}): void {
  const { format, memory } = options;
  if (!Array.isArray(format?.levels) || !Array.isArray(format.address))
    throw wrongValue('format', format, 'a page-table format, which a format package makes');
  if (typeof memory?.bankOf !== 'function')
    throw wrongValue('memory', memory, 'a PhysicalMemory, such as PhysicalMemory.over(buffer)');
}

/**
 * The place of an existing root.
 *
 * @param root - physical address in bytes.
 * @throws VmError `EINVAL` when it is not such an address, or not aligned to the root's size; `EFAULT` when
 *   it has no bytes.
 */
export function openRoot(plan: Plan, memory: PhysicalMemory, root: bigint): TablePlace {
  const { pageShift } = plan;
  checkAddress(root, 'the root');
  if (root >> BigInt(plan.format.paBits) !== 0n) {
    throw new VmError(
      'EINVAL',
      `the root 0x${root.toString(16)} does not fit ${plan.format.paBits} address bits`,
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
