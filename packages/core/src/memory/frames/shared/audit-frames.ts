import { State } from '../../../threads/layout.js';
import { slotOf } from '../../../threads/registry.js';
import type { FrameAllocator } from '../frame-allocator.js';
import { readShape } from '../frame-header.js';
import { MAX_ORDER, ORDER_MASK, Word } from '../frame-layout.js';
import { type FrameRange, FrameState } from '../frame-state.js';
import { eachHint } from './frame-cache.js';
import { CACHED, IN_CALL, NAMED, takerOf } from './head.js';
import { blockFrames, rebuildFree } from './rebuild.js';
import { SharedFrames } from './shared-frames.js';

/** Something wrong in the state of an allocator. */
export interface FrameFinding {
  /** The frame that it is about; `null` for the state as a whole. */
  readonly pfn: number | null;
  /** What is wrong. */
  readonly what: string;
}

/** Most findings that are listed. */
const MOST_FINDINGS = 100;

/**
 * Compares all that the state of an allocator says with each other: the words of frames, bitmaps, counters,
 * caches and marks of owners. Changes nothing. Call it while no thread is in a call of the allocator.
 *
 * @returns the first 100 findings; none for a sound state.
 * @throws VmError `EINVAL` when the state is not that of an allocator.
 */
export function auditFrames(frames: FrameAllocator): FrameFinding[] {
  const state = new FrameState(frames.state, readShape(frames.state));
  const findings: FrameFinding[] = [];
  const report = (pfn: number | null, what: string): void => {
    if (findings.length < MOST_FINDINGS) findings.push({ pfn, what });
  };
  auditBlocks(state, report);
  auditFree(state, report);
  if (frames.calls instanceof SharedFrames) auditThreads(frames.calls, report);
  return findings;
}

type Report = (pfn: number | null, what: string) => void;

/** Blocks are aligned, inside the range, apart from each other and from reserved frames. */
function auditBlocks(state: FrameState, report: Report): void {
  const { frames, first, lead, heads, topOrder } = state;
  const reserved = state.reservedRanges();
  let next = 0;
  let end = 0;
  for (let i = 0; i < frames; i++) {
    const head = Atomics.load(heads, i);
    if (head === 0) continue;
    const pfn = first + i;
    const mark = head & ORDER_MASK;
    const length = blockFrames(head);
    if (mark === 0 || (mark !== CACHED && mark - 1 > topOrder) || (mark === CACHED && head !== CACHED))
      report(pfn, `its word is 0x${head.toString(16)}, which is no block`);
    else if ((i + lead) % length !== 0) report(pfn, `its block of ${length} frames is not aligned`);
    else if (i + length > frames) report(pfn, `its block of ${length} frames ends beyond the last frame`);
    if (i < end) report(pfn, 'its block begins inside another one');
    end = Math.max(end, i + length);
    while (next < reserved.length && endOf(reserved[next] as FrameRange) <= pfn) next++;
    if (next < reserved.length && (reserved[next] as FrameRange).pfn < pfn + length)
      report(pfn, `its block of ${length} frames has a reserved one`);
  }
}

function endOf({ pfn, frames }: FrameRange): number {
  return pfn + frames;
}

/** Bitmaps and counters are those that follow from the blocks. */
function auditFree(state: FrameState, report: Report): void {
  const { words } = state;
  const copy = new FrameState(new ArrayBuffer(state.buffer.byteLength), readShape(state.buffer));
  copy.words.set(words.subarray(0, Word.header + 2 * (words[Word.reservedRanges] as number)));
  copy.heads.set(state.heads);
  rebuildFree(copy);
  const compare = (at: number, name: string): void => {
    const [value, right] = [words[at], copy.words[at]];
    if (value !== right) report(null, `${name} is ${value}, and ${right} by the blocks`);
  };
  compare(Word.free, 'the count of free frames');
  compare(Word.reserved, 'the count of reserved frames');
  compare(Word.orders, 'the mask of orders');
  for (let order = 0; order <= MAX_ORDER; order++) {
    compare(Word.freeBlocks + order, `the count of free blocks of order ${order}`);
    compare(Word.lowest + order, `the lowest free block of order ${order}`);
  }
  const start = Word.header + 2 * (words[Word.reservedRanges] as number);
  const end = state.heads.byteOffset >>> 2;
  for (let at = start; at < end; at++) compare(at, `word ${at} of the bitmaps`);
}

/** Caches, marks, and what dead threads left. */
function auditThreads(calls: SharedFrames, report: Report): void {
  const { state, marks, group } = calls;
  const { words, first, frames } = state;
  const heads = state.heads as Int32Array;
  const hinted = new Set<number>();
  eachHint(state, (at, index) => {
    if (index < 0 || index >= frames) report(null, `word ${at} of a cache is ${index + 1}`);
    hinted.add(index);
  });
  const isDead = (token: number): boolean => group.registry.stateOf(slotOf(token)) === State.dead;
  for (let i = 0; i < frames; i++) {
    const head = Atomics.load(heads, i);
    if (head === CACHED) {
      if (!hinted.has(i)) report(first + i, 'it is free, and in no cache and no free block');
    } else if ((head & (IN_CALL | NAMED)) !== 0) {
      const token = takerOf(head);
      if (group.registry.tokenOf(slotOf(token)) !== token || !isDead(token)) continue;
      const was = (head & NAMED) !== 0 ? 'was freeing it' : 'took it in a call';
      report(first + i, `thread ${slotOf(token)} ${was}, and died`);
    }
  }
  marks.eachFree(state, (index) => report(first + index, 'an area owns it, but it is not allocated'));
  const owner = Atomics.load(words, Word.lock);
  if (owner !== 0 && group.registry.isDead(owner)) report(null, `thread ${slotOf(owner)} died in a call`);
}
