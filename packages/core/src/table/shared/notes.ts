import type { LevelPlan } from '../../format/plan.js';
import type { FrameSource, SharedRunLoops } from '../../loops/run-loops.js';
import { type Bank, loopsOf } from '../../memory/bank.js';
import { frameAt } from '../change/map/frame-source.js';
import type { TableContext } from '../state/context.js';
import { isLeaf } from '../state/entries.js';
import { leafStart } from '../state/leaf-start.js';
import { touched } from './touched.js';

/** What a note tells of. */
export const NoteKind = {
  /** Slots that were 0 and got leaves, by compare-exchange. */
  claim: 1,
  /** Entries that were replaced while no other thread changed any. */
  words: 2,
  /** Entries that were exchanged for 0. */
  taken: 3,
  /** Leaves that got other flags, by compare-exchange. */
  changed: 4,
} as const;

/** A claim of which nobody knows how much is written. */
export const PENDING = -1;

/** The frames of the leaves of a claim: those of a source from a page on. */
export interface ClaimedFrames {
  readonly source: FrameSource;
  readonly done: number;
}

/** A run of entries that a call changes, and how to undo it. */
export interface SharedNote {
  /** `NoteKind`. */
  readonly kind: number;
  /** Index of their level. */
  readonly level: number;
  /** Index of their bank in `memory.banks`. */
  readonly bank: number;
  readonly at: number;
  readonly count: number;
  /** Record of their table, or of the first of several that follow each other; -1 for none. */
  readonly record: number;
  readonly tables: number;
  /** Claims: entries that are written, or `PENDING`. Words: by how much the live entries grew. */
  progress: number;
  /** Claims: the leaves without their frames. */
  readonly lo: number;
  readonly hi: number;
  /** Two words for each entry: what was there; 0 where another thread had cleared it. */
  readonly saved: Int32Array | null;
  /** Claims: the frames of the leaves; `null` when they are not known any more. */
  readonly frames: ClaimedFrames | null;
}

/**
 * Undoes a note: its own entries alone. What other threads have done to them since stays.
 *
 * @param isCounted - false in a recovery, which counts all tables again.
 * @returns the number of entries that were written.
 */
export function undoNote(context: TableContext, note: SharedNote, isCounted: boolean): number {
  const bank = context.memory.banks[note.bank] as Bank;
  const loops = loopsOf(bank) as SharedRunLoops;
  if (note.kind === NoteKind.claim) return undoClaim(context, loops, note, isCounted);
  const level = context.plan.levels[note.level] as LevelPlan;
  const saved = note.saved as Int32Array;
  let written = 0;
  for (let i = 0; i < note.count; i++) {
    const lo = saved[2 * i] as number;
    const hi = saved[2 * i + 1] as number;
    if (putBack(context, loops, level, note.kind, note.at + 2 * i, lo, hi)) written++;
  }
  if (isCounted && note.kind === NoteKind.taken) context.records?.add(note.record, written);
  if (isCounted && note.kind === NoteKind.words) context.records?.add(note.record, -note.progress);
  return written;
}

/** Puts one entry back. Returns whether it was written. */
function putBack(
  context: TableContext,
  loops: SharedRunLoops,
  level: LevelPlan,
  kind: number,
  at: number,
  lo: number,
  hi: number,
): boolean {
  // Another thread had cleared it before.
  if (kind !== NoteKind.words && (lo | hi) === 0) return false;
  if (kind === NoteKind.taken) return loops.cas64(at, 0, 0, lo, hi);
  for (;;) {
    const isLo = loops.load64(at);
    const isHi = loops.high;
    if (kind === NoteKind.changed && (isLo | isHi) === 0) return false;
    // What the MMU has noted meanwhile survives.
    const isPair = isLeaf(level, lo, hi) && isLeaf(level, isLo, isHi);
    const back = isPair ? touched(context, level, lo, hi, isLo, isHi) : { lo, hi };
    if (isLo === back.lo && isHi === back.hi) return false;
    if (loops.cas64(at, isLo, isHi, back.lo, back.hi)) return true;
  }
}

function undoClaim(
  context: TableContext,
  loops: SharedRunLoops,
  note: SharedNote,
  isCounted: boolean,
): number {
  const { at, count, record, tables, progress } = note;
  const own = progress === PENDING ? pendingLeaves(context, loops, note) : progress;
  const each = count / tables;
  let cleared = 0;
  for (let first = 0; first < own; first += each) {
    const here = loops.clear(at + 2 * first, Math.min(each, own - first));
    if (isCounted && record >= 0) context.records?.add(record + first / each, -here);
    cleared += here;
  }
  return cleared;
}

/**
 * How many leaves a claim has written whose thread died in it. It wrote them in order into slots that were all
 * 0, so they are the ones that look like its own up to the first that does not. The next one may be a leaf of a
 * thread that was first: its frame tells.
 */
function pendingLeaves(context: TableContext, loops: SharedRunLoops, note: SharedNote): number {
  const { frames } = note;
  const level = context.plan.levels[note.level] as LevelPlan;
  const mark = level.level.run?.set;
  const maskLo = ~(level.leafAddressLo | (mark?.lo ?? 0));
  const maskHi = ~(level.leafAddressHi | (mark?.hi ?? 0));
  for (let i = 0; i < note.count; i++) {
    const lo = loops.load64(note.at + 2 * i);
    const hi = loops.high;
    if ((lo | hi) === 0 || !isLeaf(level, lo, hi)) return i;
    const own = touched(context, level, note.lo, note.hi, lo & maskLo, hi & maskHi);
    if ((((lo ^ own.lo) & maskLo) | ((hi ^ own.hi) & maskHi)) !== 0) return i;
    const frame = leafStart(context.plan, level, lo, hi, note.at / 2 + i);
    if (frames !== null && frame !== frameAt(frames.source, frames.done + i * level.pages)) return i;
  }
  return note.count;
}
