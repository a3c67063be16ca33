import type { FrameAllocator } from '../memory/frame-allocator.js';

/** Words kept per frame: level + 1 (0: no table of the engine), live entries, lock, reserved. */
const STRIDE = 4;
const LEVEL = 0;
const LIVE = 1;

/**
 * What the engine keeps of each table that it made, by frame: its level and its number of entries that are not 0.
 *
 * All of it is one buffer of typed words, shared when the allocator's state is shared: another worker needs
 * no object of this one. Live counts let `unmap` see an emptied table without reading it again, and let
 * `map` skip the search for occupied slots in a table that is known to be empty.
 */
export class TableRecords {
  /** The records, four 32-bit words per frame of the allocator. */
  readonly state: ArrayBufferLike;
  readonly #words: Int32Array;
  readonly #first: number;
  readonly #frames: number;

  private constructor(frames: FrameAllocator) {
    const bytes = frames.frames * STRIDE * 4;
    const isShared = typeof SharedArrayBuffer !== 'undefined' && frames.state instanceof SharedArrayBuffer;
    this.state = isShared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
    this.#words = new Int32Array(this.state);
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

  /** A handle for the record of a table that the engine made; -1 for any other frame. */
  find(pfn: number): number {
    const index = pfn - this.#first;
    if (index < 0 || index >= this.#frames) return -1;
    return this.#words[index * STRIDE + LEVEL] === 0 ? -1 : index * STRIDE;
  }

  /** Starts the record of a new, empty table. */
  enter(pfn: number, level: number): void {
    const at = (pfn - this.#first) * STRIDE;
    this.#words[at + LEVEL] = level + 1;
    this.#words[at + LIVE] = 0;
  }

  /** Ends the record of a table. */
  leave(pfn: number): void {
    const at = (pfn - this.#first) * STRIDE;
    this.#words[at + LEVEL] = 0;
    this.#words[at + LIVE] = 0;
  }

  /** Entries of the table that are not 0. */
  live(handle: number): number {
    return this.#words[handle + LIVE] as number;
  }

  /** Adds to the live entries. A handle of -1 is ignored: foreign tables are not counted. */
  add(handle: number, entries: number): void {
    if (handle >= 0) this.#words[handle + LIVE] = (this.#words[handle + LIVE] as number) + entries;
  }
}
