import { JOURNAL_WORDS } from '../../threads/layout.js';
import { type ClaimedFrames, NoteKind, PENDING, type SharedNote } from './notes.js';

/*
 * The journal of one thread: what its unfinished call has changed in shared tables, for a recovery after the
 * thread's death. Words 0 to 7 are a header. Notes follow.
 *
 * A note is written before the entries that it tells of. `used` is stored last, so a recovery sees whole notes.
 */

const STATE = 0;
const USED = 1;
const ROOT_LO = 2;
const ROOT_HI = 3;
const FIRST = 8;

/** What the journal says of its call. */
export const JournalState = {
  /** There is none, or nothing of it is to be undone. */
  empty: 0,
  open: 1,
  /** The call changed more than the journal holds: only its first changes are noted. */
  full: 2,
} as const;

const NOTE_WORDS = 10;
const PROGRESS = 7;

/*
 * A claim has three words more: where its frames are, and the first frame of a range. A list follows them, beyond
 * `used`: the next note is written over it, since only the last claim can be one of which nobody knows how much
 * is written.
 */
const CLAIM_WORDS = 3;
const Form = {
  /** A list that did not fit. */
  unknown: 0,
  range: 1,
  /** One word for each frame. */
  narrow: 2,
  /** A double for each frame. */
  wide: 3,
} as const;

/** Writes the journal of a thread. */
export class Journal {
  readonly #words: Int32Array;
  #used = FIRST;
  #isOpen = false;
  #isFull = false;

  constructor(words: Int32Array) {
    this.#words = words;
  }

  /** Begins the notes of a call on the tables of a root. */
  open(root: number): void {
    const words = this.#words;
    this.#used = FIRST;
    this.#isOpen = true;
    this.#isFull = false;
    Atomics.store(words, ROOT_LO, root | 0);
    Atomics.store(words, ROOT_HI, Math.floor(root / 2 ** 32));
    Atomics.store(words, USED, FIRST);
    Atomics.store(words, STATE, JournalState.open);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Adds a note.
   *
   * @returns where it is; -1 when it does not fit. Then later ones do not follow either.
   */
  add(note: SharedNote): number {
    const words = this.#words;
    const at = this.#used;
    const saved = note.kind === NoteKind.claim ? CLAIM_WORDS : (note.saved?.length ?? 0);
    if (this.#isFull || at + NOTE_WORDS + saved > JOURNAL_WORDS) {
      if (!this.#isFull) Atomics.store(words, STATE, JournalState.full);
      this.#isFull = true;
      return -1;
    }
    // In the order in which `readJournal` takes them. An array of them cost a call for one page a sixth more.
    words[at] = note.kind;
    words[at + 1] = note.level;
    words[at + 2] = note.bank;
    words[at + 3] = note.at;
    words[at + 4] = note.count;
    words[at + 5] = note.record;
    words[at + 6] = note.tables;
    words[at + PROGRESS] = note.progress;
    words[at + 8] = note.lo;
    words[at + 9] = note.hi;
    if (note.saved !== null) words.set(note.saved, at + NOTE_WORDS);
    if (note.frames !== null) writeFrames(words, at + NOTE_WORDS, note.frames, note.count);
    this.#used = at + NOTE_WORDS + saved;
    Atomics.store(words, USED, this.#used);
    return at;
  }

  /** Notes how much of a claim is written. */
  progress(at: number, progress: number): void {
    if (at >= 0) Atomics.store(this.#words, at + PROGRESS, progress);
  }

  /** Notes what an entry really was when it was replaced. */
  correct(at: number, index: number, lo: number, hi: number): void {
    if (at < 0) return;
    Atomics.store(this.#words, at + NOTE_WORDS + 2 * index, lo);
    Atomics.store(this.#words, at + NOTE_WORDS + 2 * index + 1, hi);
  }

  /** Ends the notes: the call is made, or undone. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    Atomics.store(this.#words, STATE, JournalState.empty);
  }
}

/** What the journal of a dead thread tells. */
export interface Journaled {
  readonly state: number;
  /** Frame of the root whose tables the call changed. */
  readonly root: number;
  /** In the order of the changes. */
  readonly notes: readonly SharedNote[];
}

/** Reads the journal of a dead thread. */
export function readJournal(words: Int32Array): Journaled {
  const notes: SharedNote[] = [];
  const used = Atomics.load(words, USED);
  for (let at = FIRST; at < used; ) {
    const [kind, level, bank, first, count, record, tables, progress, lo, hi] = words.subarray(
      at,
      at + NOTE_WORDS,
    ) as unknown as [number, number, number, number, number, number, number, number, number, number];
    at += NOTE_WORDS;
    const isClaim = kind === NoteKind.claim;
    const saved = isClaim ? null : words.slice(at, at + 2 * count);
    const frames = isClaim && progress === PENDING ? readFrames(words, at, count) : null;
    at += isClaim ? CLAIM_WORDS : 2 * count;
    notes.push({ kind, level, bank, at: first, count, record, tables, progress, lo, hi, saved, frames });
  }
  const root = (Atomics.load(words, ROOT_HI) >>> 0) * 2 ** 32 + (Atomics.load(words, ROOT_LO) >>> 0);
  return { state: Atomics.load(words, STATE), root, notes };
}

/** Forgets the journal of a dead thread. */
export function clearJournal(words: Int32Array): void {
  Atomics.store(words, STATE, JournalState.empty);
  Atomics.store(words, USED, FIRST);
}

/** Writes the frames of a claim. A list has a frame for each leaf: blocks are of ranges. */
function writeFrames(words: Int32Array, at: number, { source, done }: ClaimedFrames, count: number): void {
  const { narrow, wide } = source;
  const list = at + CLAIM_WORDS;
  const room = JOURNAL_WORDS - list;
  if (narrow !== null) {
    words[at] = count <= room ? Form.narrow : Form.unknown;
    if (count <= room) words.set(narrow.subarray(done, done + count), list);
  } else if (wide !== null) {
    words[at] = 2 * count <= room ? Form.wide : Form.unknown;
    if (2 * count <= room)
      words.set(new Int32Array(wide.buffer, wide.byteOffset + 8 * done, 2 * count), list);
  } else {
    const start = source.start + done;
    words[at] = Form.range;
    words[at + 1] = start;
    words[at + 2] = Math.floor(start / 2 ** 32);
  }
}

/** The frames of a claim of which nobody knows how much is written. */
function readFrames(words: Int32Array, at: number, count: number): ClaimedFrames | null {
  const [form, lo, hi] = words.subarray(at, at + CLAIM_WORDS) as unknown as [number, number, number];
  const list = at + CLAIM_WORDS;
  const source = { narrow: null, wide: null, start: 0 };
  if (form === Form.unknown) return null;
  if (form === Form.range) return { source: { ...source, start: hi * 2 ** 32 + (lo >>> 0) }, done: 0 };
  if (form === Form.narrow)
    return { source: { ...source, narrow: new Uint32Array(words.subarray(list, list + count)) }, done: 0 };
  const { buffer } = words.slice(list, list + 2 * count);
  return { source: { ...source, wide: new Float64Array(buffer) }, done: 0 };
}
