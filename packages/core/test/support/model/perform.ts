import type { FlushBatch, PageTable, Slot } from '@vmarea/core';
import {
  applyToExisting,
  applyToRange,
  collapseLeaves,
  prepareTables,
  splitLeaves,
  tablesNeeded,
  words,
} from '@vmarea/core';
import { addressOfPage, type Geometry } from '../manual-walk/geometry.js';
import { type Action, Thrown } from './apply.js';
import type { ApplyCall, MapCall, TableCall, UnmapCall } from './call.js';
import type { LeafBits } from './leaf-bits.js';
import { frameAt } from './predict.js';

/** What a callback was shown. */
export interface SlotSeen {
  readonly va: bigint;
  readonly page: number;
  readonly level: number;
  readonly leafShift: number;
  readonly pfn: number;
  readonly entry: bigint;
}

/** What calls are made on. */
export interface Stage {
  readonly table: PageTable;
  readonly geometry: Geometry;
  readonly bits: LeafBits;
  readonly batches: readonly FlushBatch[];
  /** Called before each callback does its action. */
  readonly onVisit?: (seen: SlotSeen) => void;
}

/** Makes a call on the table; returns what it returns. */
export function perform(stage: Stage, call: TableCall): unknown {
  const { table, geometry, batches } = stage;
  if (call.op === 'done') return batches[call.batch]?.done();
  const batch = 'batch' in call ? batches[call.batch] : undefined;
  const deferred = batch === undefined ? {} : { batch };
  if (call.op === 'reclaim' && call.isEverything) return table.reclaim(undefined, undefined, deferred);
  const va = addressOfPage(geometry, call.first);
  const bytes = BigInt(call.pages) << BigInt(geometry.pageShift);
  switch (call.op) {
    case 'map':
      return map(stage, call, va, bytes);
    case 'unmap':
      if (isForWords(call, va)) {
        return unmapOne(table, va);
      }
      return table.unmap(va, bytes, { reclaim: call.reclaim, split: call.split, ...deferred });
    case 'protect':
      return table.protect(va, bytes, call.fields, { split: call.split, ...deferred });
    case 'split':
      return splitLeaves(table, va, bytes, { leafShift: call.leafShift, ...deferred });
    case 'collapse':
      return collapseLeaves(table, va, bytes, { maxLeafShift: call.maxLeafShift, ...deferred });
    case 'prepare':
      return prepareTables(table, va, bytes, { leafShift: call.leafShift });
    case 'tablesNeeded':
      return tablesNeeded(table, va, bytes, { leafShift: call.leafShift });
    case 'reclaim':
      return table.reclaim(va, bytes, deferred);
    default: {
      const options = { blocks: call.blocks, ...deferred };
      const apply = call.op === 'applyToRange' ? applyToRange : applyToExisting;
      return apply(table, va, bytes, visitor(stage, call), options);
    }
  }
}

function map(
  { table, geometry }: Stage,
  { frames, pages, protection, maxLeafShift }: MapCall,
  va: bigint,
  bytes: bigint,
): void {
  if (frames.kind === 'linear') {
    table.mapRange(va, BigInt(frames.start) << BigInt(geometry.pageShift), bytes, protection, {
      maxLeafShift,
    });
    return;
  }
  const list = new Float64Array(pages);
  for (let index = 0; index < pages; index++) list[index] = frameAt(frames, pages, index);
  if (pages === 1 && maxLeafShift % 2 === 0 && hasWords(va)) {
    const [hi, lo] = wordsOf(va);
    table.mapWords(hi, lo, list[0] as number, protection);
    return;
  }
  const isNarrow = pages % 2 === 0 && list.every((pfn) => pfn < 2 ** 32);
  table.map(va, isNarrow ? Uint32Array.from(list) : list, protection, { maxLeafShift });
}

/** True for an address that fits two words. */
function hasWords(va: bigint): boolean {
  return va >= 0n && va < 1n << 64n;
}

/** True for every other call that `unmapWords` can make. */
function isForWords({ first, pages, split, reclaim, batch }: UnmapCall, va: bigint): boolean {
  return pages === 1 && split && !reclaim && batch < 0 && first % 2 === 0 && hasWords(va);
}

function wordsOf(va: bigint): [number, number] {
  return [Number(va >> 32n), Number(BigInt.asIntN(32, va))];
}

/** Unmaps a page by words, and checks that it returns the frame. */
function unmapOne(table: PageTable, va: bigint): void {
  const [hi, lo] = wordsOf(va);
  const before = table.translateWords(hi, lo);
  const was = table.unmapWords(hi, lo);
  if (was !== before) throw new Error(`unmapWords tells ${was}, it was ${before}`);
}

function visitor(stage: Stage, call: ApplyCall): (slot: Slot) => number | undefined {
  let visits = 0;
  return (slot) => {
    const { va, page, level, leafShift, pfn, entry } = slot;
    stage.onVisit?.({ va, page, level, leafShift, pfn, entry });
    const action = call.actions[Math.min(visits, call.actions.length - 1)] as Action;
    visits++;
    act(stage, slot, action, call.first);
    return action.do === 'stop' ? visits - 1 : undefined;
  };
}

/** Sets the entry as the action says, if it sets any. */
function act({ geometry, bits }: Stage, slot: Slot, action: Action, first: number): void {
  if (action.do === 'throw') throw new Thrown();
  if (action.do === 'leaf') {
    slot.setLeaf((first + slot.page) % geometry.frameLimit, action.protection);
    return;
  }
  const entry = entryOf(bits, slot, action, slot.level === geometry.last);
  if (entry === null) return;
  const { lo, hi } = words(entry);
  slot.set(lo, hi);
}

/** What an action sets an entry to; `null` for nothing. */
function entryOf(bits: LeafBits, { entry, pfn }: Slot, action: Action, isLast: boolean): bigint | null {
  switch (action.do) {
    case 'same':
      return entry;
    case 'clear':
      return 0n;
    case 'hide':
      return bits.absent;
    case 'spoil':
      return bits.noLeaf(isLast);
    case 'software':
      return pfn < 0 ? null : entry ^ action.bit;
    default:
      return null;
  }
}
