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
    this.#openWith(root, FIRST);
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
    const { kind, level, bank, count, record, tables, progress, lo, hi, saved, frames } = note;
    const words = this.#words;
    const room = kind === NoteKind.claim ? CLAIM_WORDS : (saved?.length ?? 0);
    const at = this.#used;
    if (this.#isFull || at + NOTE_WORDS + room > JOURNAL_WORDS) {
      if (!this.#isFull) Atomics.store(words, STATE, JournalState.full);
      this.#isFull = true;
      return -1;
    }
    this.#write(at, kind, level, bank, note.at, count, record, tables, progress, lo, hi);
    if (saved !== null) words.set(saved, at + NOTE_WORDS);
    if (frames !== null) writeFrames(words, at + NOTE_WORDS, frames, count);
    this.#used = at + NOTE_WORDS + room;
    Atomics.store(words, USED, this.#used);
    return at;
  }

  /**
   * Opens the journal with the note of a claim of one entry. It makes no object: that took a third of a call. The
   * claim stays pending until `close`, and a recovery finds out whether the entry is its own.
   */
  openClaim(
    root: number,
    level: number,
    bank: number,
    entry: number,
    record: number,
    lo: number,
    hi: number,
    pfn: number,
  ): void {
    this.#write(FIRST, NoteKind.claim, level, bank, entry, 1, record, 1, PENDING, lo, hi);
    writeRange(this.#words, FIRST + NOTE_WORDS, pfn);
    this.#openWith(root, FIRST + NOTE_WORDS + CLAIM_WORDS);
  }

  /** Opens the journal with the note of one entry that is about to be taken. @returns where the note is. */
  openTaken(
    root: number,
    level: number,
    bank: number,
    entry: number,
    record: number,
    lo: number,
    hi: number,
  ): number {
    this.#write(FIRST, NoteKind.taken, level, bank, entry, 1, record, 1, 0, 0, 0);
    this.#words[FIRST + NOTE_WORDS] = lo;
    this.#words[FIRST + NOTE_WORDS + 1] = hi;
    this.#openWith(root, FIRST + NOTE_WORDS + 2);
    return FIRST;
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

  /** Writes the words of a note, in the order in which `readJournal` takes them. */
  #write(
    at: number,
    kind: number,
    level: number,
    bank: number,
    entry: number,
    count: number,
    record: number,
    tables: number,
    progress: number,
    lo: number,
    hi: number,
  ): void {
    const words = this.#words;
    words[at] = kind;
    words[at + 1] = level;
    words[at + 2] = bank;
    words[at + 3] = entry;
    words[at + 4] = count;
    words[at + 5] = record;
    words[at + 6] = tables;
    words[at + PROGRESS] = progress;
    words[at + 8] = lo;
    words[at + 9] = hi;
  }

  /**
   * Opens the journal with the notes that are written up to a word. One atomic is enough: whoever reads the other
   * words reads the state first.
   */
  #openWith(root: number, used: number): void {
    const words = this.#words;
    words[ROOT_LO] = root | 0;
    words[ROOT_HI] = Math.floor(root / 2 ** 32);
    words[USED] = used;
    this.#used = used;
    this.#isOpen = true;
    this.#isFull = false;
    Atomics.store(words, STATE, JournalState.open);
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
  } else writeRange(words, at, source.start + done);
}

/** Writes the frames of a claim that follow each other. */
function writeRange(words: Int32Array, at: number, start: number): void {
  words[at] = Form.range;
  words[at + 1] = start;
  words[at + 2] = Math.floor(start / 2 ** 32);
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
