import { TLB_PRESETS, type TlbDescription } from '@vmarea/mmu';
import { PageStream } from '../../src/accesses/page-stream.js';
import {
  type AccessBatch,
  AccessCase,
  type AccessRow,
  accessBatch,
  type LeafChoice,
  TableBudget,
  TouchedPages,
  touchBacking,
  userFormat,
} from '../../src/index.js';

import { configurationOf } from './files.js';

/** An access of a test: fetch, load or store, its address and its bytes. */
export type Access = readonly [kind: 'F' | 'L' | 'S', address: bigint, bytes: number];

/** A preset by its name. */
export function presetOf(name: string): TlbDescription {
  return TLB_PRESETS.find((one) => one.name === name) as TlbDescription;
}

/** A batch with accesses. */
export function batchOf(accesses: readonly Access[]): AccessBatch {
  const batch = accessBatch(3 * accesses.length);
  for (const [i, [kind, address, bytes]] of accesses.entries()) {
    batch.kind[i] = 'FLS'.indexOf(kind);
    batch.hi[i] = Number(address >> 32n);
    batch.lo[i] = Number(address & 0xffffffffn);
    batch.bytes[i] = bytes;
  }
  batch.length = accesses.length;
  return batch;
}

/** The pages that accesses touch. */
export function touchedBy(accesses: readonly Access[]): TouchedPages {
  const touched = new TouchedPages();
  for (const [, address, bytes] of accesses)
    for (let at = address & -4096n; at < address + BigInt(bytes); at += 4096n)
      touched.add(Number(at >> 32n), Number(at & 0xffffffffn));
  return touched;
}

/** How a test simulates. */
export interface Simulated {
  readonly format?: string;
  readonly leaves?: LeafChoice;
  readonly preset: TlbDescription;
  readonly isCollapsed?: boolean;
  readonly dense?: number;
  readonly frames?: 'adjacent' | 'scattered';
  readonly walkCaches?: 'champsim' | 'none';
  readonly assumeRuns?: boolean;
  readonly seed?: number;
}

/** Simulates accesses without a file. */
export function simulated(accesses: readonly Access[], options: Simulated): AccessRow {
  const {
    format = 'x86-64',
    leaves = 'base',
    preset,
    isCollapsed = true,
    walkCaches = 'none',
    seed = 1,
  } = options;
  const configuration = configurationOf(format);
  const touched = touchedBy(accesses);
  const { dense = 50, frames = 'adjacent', assumeRuns = false } = options;
  const budget = new TableBudget(2 ** 30);
  const backing = touchBacking(configuration, leaves, { touched, dense, frames, seed, budget });
  if (typeof backing === 'string') throw new Error(backing);
  const one = new AccessCase(backing, preset, { seed, walkCaches, assumeRuns });
  const { pageShift } = userFormat(configuration);
  const stream = new PageStream({ pageShift, isCollapsed });
  const batch = batchOf(accesses);
  const moved = { ...stream.out, hi: stream.out.hi.slice(), lo: stream.out.lo.slice() };
  for (let at = 0; at < batch.length; ) {
    at = stream.fill(batch, at, batch.length);
    const { hi, lo, length } = stream.out;
    backing.relocation?.apply(hi, lo, length, moved);
    one.feed(backing.relocation === null ? stream.out : { ...stream.out, hi: moved.hi, lo: moved.lo });
  }
  const pages = touched.count(pageShift);
  const row = one.row(stream.accesses, stream.unmapped, pages);
  backing.close(pages);
  return row;
}
