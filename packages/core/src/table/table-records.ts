import type { FrameAllocator } from '../memory/frame-allocator.js';
import { isShared } from '../memory/host.js';

/** Words before the first record: the next owner's number, and three in reserve. */
const HEADER = 4;
const NEXT_OWNER = 0;
/** Words kept per frame: level + 1 (0: no table of the engine), live entries, owner, lock. */
const STRIDE = 4;
const LEVEL = 0;
const LIVE = 1;
const OWNER = 2;

/**
 * What the engine keeps of each table that it made, by frame: its level, its number of entries that are not 0, and
 * which `PageTable` owns it.
 *
 * All of it is one buffer of typed words, shared when the allocator's state is shared: another worker needs no object
 * of this one. Live counts are a hint that a table may be empty: whoever else writes into the memory (a simulated
 * guest, another allocator's page table) is not counted, so a scan confirms before anything is lost.
 */
export class TableRecords {
  /** A header of four 32-bit words, then four for each frame of the allocator. */
  readonly state: ArrayBufferLike;
  readonly #words: Int32Array;
  readonly #first: number;
  readonly #frames: number;

  private constructor(frames: FrameAllocator) {
    const bytes = (HEADER + frames.frames * STRIDE) * 4;
    this.state = isShared(frames.state) ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
    this.#words = new Int32Array(this.state);
    this.#words[NEXT_OWNER] = 1;
    this.#first = frames.first;
    this.#frames = frames.frames;
  }

  static readonly #byState = new WeakMap<ArrayBufferLike, TableRecords>();

  /** The records of an allocator: one for all the page tables that take their tables from its state. */
  static of(frames: FrameAllocator): TableRecords {
    let records = TableRecords.#byState.get(frames.state);
    if (records === undefined) {
      records = new TableRecords(frames);
      TableRecords.#byState.set(frames.state, records);
    }
    return records;
  }

  /** A number that no other page table of these records has. */
  newOwner(): number {
    const owner = this.#words[NEXT_OWNER] as number;
    this.#words[NEXT_OWNER] = owner + 1;
    return owner;
  }

  /** A handle for the record of a table that some engine made; -1 for any other frame. */
  find(pfn: number): number {
    const index = pfn - this.#first;
    if (index < 0 || index >= this.#frames) return -1;
    const at = HEADER + index * STRIDE;
    return this.#words[at + LEVEL] === 0 ? -1 : at;
  }

  /** Who owns a table. */
  ownerOf(handle: number): number {
    return this.#words[handle + OWNER] as number;
  }

  /** True when the table is this owner's, for this level: it is then in the tree where it was put. */
  isOwn(handle: number, owner: number, level: number): boolean {
    return handle >= 0 && this.#words[handle + OWNER] === owner && this.#words[handle + LEVEL] === level + 1;
  }

  /** Starts the record of a new, empty table. */
  enter(pfn: number, level: number, owner: number): void {
    const at = HEADER + (pfn - this.#first) * STRIDE;
    this.#words[at + LEVEL] = level + 1;
    this.#words[at + LIVE] = 0;
    this.#words[at + OWNER] = owner;
  }

  /** Ends the record of a table. */
  leave(pfn: number): void {
    const at = HEADER + (pfn - this.#first) * STRIDE;
    this.#words.fill(0, at, at + STRIDE);
  }

  /** Counted entries of the table that are not 0; 0 or less when it may be empty. */
  live(handle: number): number {
    return this.#words[handle + LIVE] as number;
  }

  /** Adds to the live entries. A handle of -1 is ignored: foreign tables are not counted. */
  add(handle: number, entries: number): void {
    if (handle >= 0) this.#words[handle + LIVE] = (this.#words[handle + LIVE] as number) + entries;
  }
}
