import { checkAddress, requireOnPage } from '../check/address.js';
import { isCallable } from '../check/function.js';
import type { Given } from '../check/options.js';
import { shown, VmError } from '../errors.js';
import type { Plan } from '../format/plan.js';
import type { FlushOptions, MapOptions, PrepareOptions } from './options.js';
import { type PageRange, pageRange } from './page-range.js';
import type { TableContext } from './state/context.js';
import type { OwedFlushes } from './state/flush-batch.js';

/** A range that may be left out. Default: everything that the root translates. */
export function rangeOf(plan: Plan, { va, bytes }: Given<{ va: bigint; bytes: bigint | number }>): PageRange {
  if (va === undefined && bytes === undefined) return { first: 0, pages: plan.pages };
  return pageRange(plan.format, va as bigint, bytes as bigint);
}

/** The batch that takes the call's flush; `null` when the call flushes at once. */
export function batchOf(context: TableContext, { batch }: Given<FlushOptions>): OwedFlushes | null {
  if (batch === undefined) return null;
  if (typeof batch !== 'object' || batch === null || !context.batches.has(batch)) {
    throw new VmError('EINVAL', '`batch` is not a batch of this page table', {
      advice: 'flushBatch(table) makes one',
    });
  }
  return batch as OwedFlushes;
}

/** A leaf size of the format, as log2 bytes. Default: the base page. */
export function leafShiftOf(plan: Plan, { leafShift = plan.pageShift }: Given<PrepareOptions>): number {
  const sizes = plan.levels.filter((level) => level.level.leaf !== null).map((level) => level.shift);
  if (!sizes.includes(leafShift as number)) {
    throw new VmError(
      'EINVAL',
      `leafShift is ${shown(leafShift)}, which is not a leaf size of ${plan.format.name}`,
      {
        advice: `it has ${sizes.reverse().join(', ')}`,
      },
    );
  }
  return leafShift as number;
}

/** How large leaves and runs may be, as log2 bytes. */
export interface LeafCaps {
  readonly leaf: number;
  /** At most as large as `leaf`. */
  readonly run: number;
}

/** The caps on the sizes of leaves and runs. Default: none. */
export function leafCaps({ maxLeafShift, maxRunShift }: Given<MapOptions>): LeafCaps {
  const leaf = capOf('maxLeafShift', maxLeafShift, 64);
  return { leaf, run: Math.min(leaf, capOf('maxRunShift', maxRunShift, leaf)) };
}

function capOf(name: string, cap: unknown, fallback: number): number {
  if (cap === undefined) return fallback;
  if (!Number.isInteger(cap)) {
    throw new VmError('EINVAL', `${name} is ${shown(cap)}`, {
      advice: 'give log2 of bytes, such as 21 for 2 MiB',
    });
  }
  return cap as number;
}

/** The frame at a physical address. */
export function physicalPage(plan: Plan, pa: bigint): number {
  const { pageShift, format } = plan;
  checkAddress(pa, 'the physical address');
  if (pa >> BigInt(format.paBits) !== 0n) {
    throw new VmError(
      'EINVAL',
      `the physical address 0x${pa.toString(16)} does not fit ${format.paBits} bits`,
    );
  }
  requireOnPage(pa, 1n << BigInt(pageShift), 'the physical address');
  return Number(pa >> BigInt(pageShift));
}

/** @throws VmError `EINVAL` for anything that is not a function. */
export function checkVisitor(visit: unknown): void {
  if (!isCallable(visit))
    throw new VmError('EINVAL', `the callback is ${shown(visit)}`, { advice: 'pass (slot) => { … }' });
}
