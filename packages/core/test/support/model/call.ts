import type { Protection } from '@vmarea/core';
import type { Action } from './apply.js';

/** The frames that a mapping call is given, from one on: adjacent, as a list, or a list without a single run. */
export interface CallFrames {
  readonly kind: 'linear' | 'list' | 'swapped' | 'apart';
  readonly start: number;
}

/** The range of a call, in pages from the start of the root's range; it may lie outside. */
export interface CallRange {
  readonly first: number;
  readonly pages: number;
}

/** Index of the batch that the flush is left to; -1 for none. */
interface Deferred {
  readonly batch: number;
}

export interface MapCall extends CallRange {
  readonly op: 'map';
  readonly frames: CallFrames;
  readonly protection: Protection;
  readonly maxLeafShift: number;
}

export interface UnmapCall extends CallRange, Deferred {
  readonly op: 'unmap';
  readonly reclaim: boolean;
  readonly split: boolean;
}

interface ProtectCall extends CallRange, Deferred {
  readonly op: 'protect';
  readonly fields: Partial<Protection>;
  readonly split: boolean;
}

interface SplitCall extends CallRange, Deferred {
  readonly op: 'split';
  readonly leafShift: number;
}

interface CollapseCall extends CallRange, Deferred {
  readonly op: 'collapse';
  readonly maxLeafShift: number;
}

interface PrepareCall extends CallRange {
  readonly op: 'prepare' | 'tablesNeeded';
  readonly leafShift: number;
}

export interface ApplyCall extends CallRange, Deferred {
  readonly op: 'applyToRange' | 'applyToExisting';
  readonly blocks: 'refuse' | 'visit' | 'split';
  readonly actions: readonly Action[];
}

interface ReclaimCall extends CallRange, Deferred {
  readonly op: 'reclaim';
  /** No range is given: everything. */
  readonly isEverything: boolean;
}

interface DoneCall extends Deferred {
  readonly op: 'done';
}

/** A write by the test itself, as an operating system or the hardware would make it. */
export interface RawCall {
  readonly op: 'mark' | 'software' | 'use' | 'hide';
  /** First page of the leaf, or of the run. */
  readonly page: number;
  readonly bit: bigint;
  readonly accessed: boolean;
  readonly dirty: boolean;
}

export type TableCall =
  | MapCall
  | UnmapCall
  | ProtectCall
  | SplitCall
  | CollapseCall
  | PrepareCall
  | ApplyCall
  | ReclaimCall
  | DoneCall;
export type Call = TableCall | RawCall;

/** True for a write by the test itself. */
export function isRaw(call: Call): call is RawCall {
  return call.op === 'mark' || call.op === 'software' || call.op === 'use' || call.op === 'hide';
}

/** A call as a line of text, for the story that led to a failure. */
export function tell({ op, ...rest }: Call): string {
  const fields = JSON.stringify(rest, (_, value: unknown) =>
    typeof value === 'bigint' ? `0x${value.toString(16)}` : value,
  );
  return `${op} ${fields}`;
}
