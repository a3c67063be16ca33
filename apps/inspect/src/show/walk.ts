import {
  type Access,
  completeControls,
  describeEntry,
  type EntryField,
  type EntryKind,
  type FaultCode,
  type FaultKind,
  type MemoryAttributes,
  type PageTableFormat,
  type Permissions,
  type Protection,
  type Words,
  words,
} from '@vmarea/core';
import { type Region, regionAt } from '../machines/region.js';
import type { ChosenRoot } from '../roots/choose.js';
import { rightsSoFar } from './rights-so-far.js';

/** An entry that a walk read, with its bits by name. */
export interface WalkedEntry {
  /** The level's name: `PGD`, `PTE`. */
  readonly level: string;
  /** Slot in the table. */
  readonly index: number;
  /** Physical address of the entry, in bytes. */
  readonly address: bigint;
  readonly entry: bigint;
  readonly kind: EntryKind;
  /** All 64 bits, from bit 0 up. Without, the format does not name them. */
  readonly fields: readonly EntryField[];
  /** What the entries up to this one leave of all rights; `null` behind a fault. */
  readonly rights: Permissions | null;
}

/** What a walk of one address tells, as data. */
export interface WalkRow {
  readonly kind: 'walk';
  readonly va: bigint;
  /** `null` when it is not translated. */
  readonly pa: bigint | null;
  readonly region: string | null;
  readonly entries: readonly WalkedEntry[];
  /** The leaf that it ended in; `null` when there is none. */
  readonly leaf: {
    readonly pa: bigint;
    readonly leafBytes: bigint;
    readonly runBytes: bigint | null;
    readonly protection: Protection;
    readonly attributes: MemoryAttributes | null;
  } | null;
  /** Why there is no translation, or why the access is refused. */
  readonly fault: { readonly kind: FaultKind; readonly level: string; readonly code: FaultCode } | null;
}

/**
 * Walks one address, names the bits of each entry, and says what the entries so far allow.
 *
 * @param root - from `chooseRoot`.
 * @param regions - from `kernelLayout`.
 * @param access - when given, the fault also says whether this access is refused.
 * @throws VmError `ERANGE` when `va` is not an unsigned 64-bit bigint.
 */
export function describeWalk(
  { table, controls }: Pick<ChosenRoot, 'table' | 'controls'>,
  va: bigint,
  regions: readonly Region[],
  access?: Access,
): WalkRow {
  const { format } = table;
  const { levels } = format;
  const { steps, leaf, pa, fault } = table.walk(va, access);
  const all = completeControls(format.controls, controls, format.name);
  const path: Words[] = [];
  const entries = steps.map(({ level, name, index, address, entry, kind }): WalkedEntry => {
    path.push(words(entry));
    return {
      ...{ level: name, index, address, entry, kind },
      fields: fieldsOf(format, entry, level),
      rights: rightsSoFar(format, path, kind, all),
    };
  });
  return {
    kind: 'walk',
    ...{ va, pa },
    region: regionAt(regions, va, pa ?? 0n).region?.name ?? null,
    entries,
    leaf:
      leaf === null
        ? null
        : {
            pa: leaf.pa,
            leafBytes: 1n << BigInt(leaf.leafShift),
            runBytes: leaf.runShift === null ? null : 1n << BigInt(leaf.runShift),
            protection: leaf.protection,
            attributes: leaf.attributes,
          },
    fault: fault === null ? null : { ...fault, level: levels[fault.level]?.name ?? String(fault.level) },
  };
}

/** A format of somebody else need not name its bits. */
function fieldsOf(format: PageTableFormat, entry: bigint, level: number): readonly EntryField[] {
  const { table, leaf } = format.levels[level] ?? {};
  const hasNames = [table, leaf].every((shape) => !shape || shape.names !== undefined);
  return hasNames ? describeEntry(format, entry, level).fields : [];
}
