import { checkAddress } from '../check/address.js';
import type { Given } from '../check/options.js';
import { shown, VmError } from '../errors.js';
import type { Access } from '../format/access.js';
import type { Plan } from '../format/plan.js';
import { isMade, type Protection, protection } from '../format/protection.js';
import type { FlushOptions, MapOptions, PrepareOptions } from './options.js';
import { type PageRange, pageRange } from './page-range.js';
import type { TableContext } from './state/context.js';
import type { OwedFlushes } from './state/flush-batch.js';

/** Refuses a misspelt access: it must not look allowed. */
export function checkAccess(access: Access): void {
  if (!['read', 'write', 'execute'].includes(access?.kind) || typeof access.user !== 'boolean') {
    throw new VmError('EINVAL', 'invalid access', {
      advice: "pass { kind: 'read' | 'write' | 'execute', user: boolean }",
    });
  }
}

const DEFAULTS = protection();

/**
 * Refuses an incomplete protection: a missing member must not look like a right that is not given.
 *
 * @returns the protection itself when `protection()` made it, else a copy: its members may change, or may be
 *   getters of the caller.
 */
export function checkProtection(protection: Protection): Protection {
  if (isMade(protection)) return protection;
  if (typeof protection !== 'object' || protection === null) throw notComplete();
  const copy: Record<string, unknown> = {};
  for (const [member, usual] of Object.entries(DEFAULTS)) {
    const value: unknown = protection[member as keyof Protection];
    if (typeof value !== typeof usual) throw notComplete();
    copy[member] = value;
  }
  return Object.freeze(copy) as unknown as Protection;
}

function notComplete(): VmError {
  return new VmError('EINVAL', 'the protection is not complete', {
    advice: 'make it with protection({ … }) or take a named one of a Linux policy',
  });
}

/** The members of a protection that a call changes, as a copy. Each is read once. */
export function protectionFields(fields: Partial<Protection>): Partial<Protection> {
  if (typeof fields !== 'object' || fields === null) {
    throw new VmError('EINVAL', `the protection is ${shown(fields)}`, {
      advice: 'pass the members that change, such as { write: false }',
    });
  }
  const known = protection();
  const copy: Partial<Protection> = { ...fields };
  const isWhole = isComplete(copy);
  for (const [member, value] of Object.entries(copy)) {
    const isKnown = Object.hasOwn(known, member);
    if (!isKnown || typeof value !== typeof known[member as keyof Protection]) {
      throw new VmError('EINVAL', `the protection has ${member}: ${shown(value)}`, {
        advice: `its members are ${Object.keys(known).join(', ')}`,
      });
    }
    if (!isWhole && ['accessed', 'dirty', 'extra'].includes(member)) {
      throw new VmError('EINVAL', `${member} is no protection`, {
        advice: 'a change of protection keeps it; set entries with applyToExisting',
      });
    }
  }
  return copy;
}

/** True when no member is missing. */
export function isComplete(fields: Partial<Protection>): fields is Protection {
  return Object.keys(protection()).every((member) => Object.hasOwn(fields, member));
}

/** A range that may be left out. Default: everything that the root translates. */
export function rangeOf(plan: Plan, { va, bytes }: Given<{ va: bigint; bytes: bigint | number }>): PageRange {
  if (va === undefined && bytes === undefined) return { first: 0, pages: plan.pages };
  return pageRange(plan.format, va as bigint, bytes as bigint);
}

/** The batch that takes the call's flush; `null` when the call flushes at once. */
export function batchOf(context: TableContext, { batch }: Given<FlushOptions>): OwedFlushes | null {
  if (batch === undefined) return null;
  if (typeof batch !== 'object' || batch === null || !context.batches.has(batch)) {
    throw new VmError('EINVAL', '`batch` is no batch of this page table', {
      advice: 'flushBatch(table) makes one',
    });
  }
  return batch as OwedFlushes;
}

/** A leaf size of the format, as log2 bytes. Default: the base page. */
export function leafShiftOf(plan: Plan, { leafShift = plan.pageShift }: Given<PrepareOptions>): number {
  const sizes = plan.levels.filter((level) => level.level.leaf !== null).map((level) => level.shift);
  if (!sizes.includes(leafShift as number)) {
    throw new VmError('EINVAL', `leafShift is ${shown(leafShift)}, no leaf size of ${plan.format.name}`, {
      advice: `it has ${sizes.reverse().join(', ')}`,
    });
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
  if ((pa & ((1n << BigInt(pageShift)) - 1n)) !== 0n) {
    throw new VmError('EINVAL', `the physical address is not a multiple of the page size`, { address: pa });
  }
  return Number(pa >> BigInt(pageShift));
}

/** @throws VmError `EINVAL` for anything that is not a function. */
export function checkVisitor(visit: unknown): void {
  if (typeof visit !== 'function')
    throw new VmError('EINVAL', `the callback is ${shown(visit)}`, { advice: 'pass (slot) => { … }' });
}
