import { VmError } from '../../errors.js';
import type { FrameAllocator } from '../../memory/frames/frame-allocator.js';
import { isShared } from '../../memory/host.js';

/** Words before the first record: the next owner's number, and three reserved ones. */
const HEADER = 4;
const NEXT_OWNER = 0;
/** Number of watched page tables at which the records first drop those that nobody holds any more. */
const FIRST_PRUNE = 64;

/** What the records know of a page table. They tell it when a restore removes it or brings it back. */
export interface Watched {
  readonly owner: number;
  readonly memory: object;
  isDestroyed: boolean;
}

/**
 * What the engine keeps of each table that it made, by frame: its level, its number of entries that are not
 * 0, and which `PageTable` owns it.
 *
 * All records are in one buffer of typed words. It is shared when the allocator's state is: another worker
 * needs no object of this one. A live count is only a hint that a table may be empty. Others may write into
 * the memory (a simulated guest, another allocator's page table) without being counted, so a scan confirms
 * it before anything is lost.
 */
export class TableRecords {
  /**
   * A header of four 32-bit words; then, for each frame of the allocator: level + 1, live entries, owner.
   */
  readonly state: ArrayBufferLike;
  /** The state of the allocator. */
  readonly frameState: ArrayBufferLike;
  /** Batches of this thread that owe a flush. Their tables are neither in a tree nor free. */
  batches = 0;
  readonly #words: Int32Array;
  /**
   * By frame: level + 1, or 0 where the engine has no table; entries that are not 0; owner. Three views, so
   * that a handle is an index and the hot paths have no constants. A bundler makes a variable of a constant,
   * and V8 checks its type at each use.
   */
  readonly #levels: Int32Array;
  readonly #live: Int32Array;
  readonly #owners: Int32Array;
  // Has a value from the start. V8 types a field that was undefined first as anything, and checks it at each
  // use.
  readonly #first: number = 0;
  readonly #frames: number = 0;
  /** By owner. Weak, so that a page table that was dropped without `destroy` can be collected. */
  readonly #watched = new Map<number, WeakRef<Watched>>();
  #pruneAt = FIRST_PRUNE;
  /**
   * Owners that a restore removed, because they were made after its snapshot. Pairs: the first, and the one
   * after the last.
   */
  #gone: readonly number[] = [];
  /**
   * By frame: number of the last look through a range that met its table. Not part of the shared state: it
   * belongs to one thread.
   */
  #met: Uint32Array | null = null;
  #looks = 0;
  /** Memories that know these records. */
  readonly #memories = new WeakSet<object>();

  /** Other threads may use the records: each count is one atomic. */
  readonly #isShared: boolean = false;

  private constructor(frames: FrameAllocator, state: ArrayBufferLike | null) {
    this.frameState = frames.state;
    this.#isShared = isShared(frames.state);
    const bytes = (HEADER + 3 * frames.frames) * 4;
    this.state = state ?? (this.#isShared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes));
    this.#words = new Int32Array(this.state);
    const views = [0, 1, 2].map(
      (i) => new Int32Array(this.state, 4 * (HEADER + i * frames.frames), frames.frames),
    );
    [this.#levels, this.#live, this.#owners] = views as [Int32Array, Int32Array, Int32Array];
    if (state === null) this.#words[NEXT_OWNER] = 1;
    // Replaced, not asked for at each call: two calls of `add` are a part of each single page.
    if (this.#isShared) {
      this.add = (handle, entries) => {
        if (handle >= 0) Atomics.add(this.#live, handle, entries);
      };
    }
    this.#first = frames.first;
    this.#frames = frames.frames;
  }

  /** The records of every allocator that the page tables in a memory take their tables from. */
  static over(memory: object): TableRecords[] {
    return recordsOver(memory);
  }

  /** The records of an allocator, one for all page tables that take their tables from its state. */
  static of(frames: FrameAllocator): TableRecords {
    let records = byState.get(frames.state);
    if (records === undefined) {
      records = new this(frames, null);
      byState.set(frames.state, records);
    }
    return records;
  }

  /**
   * The records of an allocator that another thread has made.
   *
   * @throws VmError `EINVAL` when they are not of this allocator.
   */
  static adopt(frames: FrameAllocator, state: SharedArrayBuffer): TableRecords {
    const known = byState.get(frames.state);
    if (known !== undefined) return known;
    if (!isShared(state) || state.byteLength !== (HEADER + 3 * frames.frames) * 4)
      throw new VmError('EINVAL', 'the records of the description are not those of this allocator');
    const records = new this(frames, state);
    byState.set(frames.state, records);
    return records;
  }

  /** A number that no other page table of these records has. */
  newOwner(): number {
    if (this.#isShared) return Atomics.add(this.#words, NEXT_OWNER, 1);
    const owner = this.#words[NEXT_OWNER] as number;
    this.#words[NEXT_OWNER] = owner + 1;
    return owner;
  }

  /**
   * The handle of the record of a table that some engine made; -1 for any other frame. Adjacent frames have
   * adjacent handles.
   */
  find(pfn: number): number {
    const index = pfn - this.#first;
    if (index < 0 || index >= this.#frames) return -1;
    return this.#levels[index] === 0 ? -1 : index;
  }

  /** The levels of tables (1 and more; 0 for no table) and their live counts, by frames from `first` on: for calls of single pages. */
  get counts(): { readonly levels: Int32Array; readonly live: Int32Array; readonly first: number } {
    return { levels: this.#levels, live: this.#live, first: this.#first };
  }

  /** Starts a look through a range that must know which tables it has met. Returns its number. */
  startLook(): number {
    this.#looks = (this.#looks + 1) >>> 0;
    // After 2^32 looks, the marks of the first ones must not count for this one.
    if (this.#looks === 0) this.#met?.fill(0);
    return this.#looks || this.startLook();
  }

  /**
   * Marks a frame as met by a look. False when it was met before; `null` for a frame outside the allocator.
   */
  meet(pfn: number, look: number): boolean | null {
    const index = pfn - this.#first;
    if (!(index >= 0 && index < this.#frames)) return null;
    this.#met ??= new Uint32Array(this.#frames);
    if (this.#met[index] === look) return false;
    this.#met[index] = look;
    return true;
  }

  /** Level of a table. */
  levelOf(handle: number): number {
    return (this.#levels[handle] as number) - 1;
  }

  /** The owner of a table. */
  ownerOf(handle: number): number {
    return this.#owners[handle] as number;
  }

  /**
   * True when the table is this owner's and was made for this level. It is then in the tree where it was
   * put.
   */
  isOwn(handle: number, owner: number, level: number): boolean {
    return handle >= 0 && this.#owners[handle] === owner && this.#levels[handle] === level + 1;
  }

  /** Starts the record of a new, empty table. */
  enter(pfn: number, level: number, owner: number): void {
    const index = pfn - this.#first;
    if (this.#isShared) {
      Atomics.store(this.#live, index, 0);
      Atomics.store(this.#owners, index, owner);
      Atomics.store(this.#levels, index, level + 1);
      return;
    }
    this.#levels[index] = level + 1;
    this.#live[index] = 0;
    this.#owners[index] = owner;
  }

  /** Ends the record of a table. */
  leave(pfn: number): void {
    const index = pfn - this.#first;
    if (this.#isShared) {
      // The owner before the count: of a frame that is held, the count is its order.
      Atomics.store(this.#levels, index, 0);
      Atomics.store(this.#owners, index, 0);
      Atomics.store(this.#live, index, 0);
      return;
    }
    this.#levels[index] = 0;
    this.#live[index] = 0;
    this.#owners[index] = 0;
  }

  /** Counted entries of the table that are not 0. At 0 or below, the table may be empty. */
  live(handle: number): number {
    return this.#isShared ? Atomics.load(this.#live, handle) : (this.#live[handle] as number);
  }

  /** Calls with each table on record: its frame, level and owner. */
  each(visit: (pfn: number, level: number, owner: number) => void): void {
    for (let index = 0; index < this.#frames; index++) {
      const level = this.#levels[index] as number;
      if (level !== 0) visit(this.#first + index, level - 1, this.#owners[index] as number);
    }
  }

  /**
   * Ends the record of a table of shared memory whose frame is not free yet.
   *
   * @param slot - of the thread that will free it.
   * @param order - log2 of its frames.
   */
  hold(pfn: number, slot: number, order: number): void {
    const index = pfn - this.#first;
    // At each moment it is a table that no root reaches, or a frame of the slot: a recovery finds it.
    Atomics.store(this.#live, index, order);
    Atomics.store(this.#owners, index, -1 - slot);
    Atomics.store(this.#levels, index, 0);
  }

  /** True for a frame that some thread has taken out of the tables and not freed. */
  isWaiting(pfn: number): boolean {
    const index = pfn - this.#first;
    return (
      index >= 0 && index < this.#frames && this.#levels[index] === 0 && (this.#owners[index] as number) < 0
    );
  }

  /** Calls with each frame that a thread has taken out of the tables and not freed, and log2 of its frames. */
  eachHeld(slot: number, visit: (pfn: number, order: number) => void): void {
    for (let index = 0; index < this.#frames; index++) {
      if (this.#owners[index] !== -1 - slot) continue;
      visit(this.#first + index, this.#live[index] as number);
    }
  }

  /** Sets the live entries of a table. For a recovery, while no other thread counts. */
  setLive(handle: number, live: number): void {
    Atomics.store(this.#live, handle, live);
  }

  /**
   * Sets the live entries of tables in adjacent frames to 0.
   *
   * @returns how many there were; 0, and nothing is changed, when one of the tables may be empty.
   */
  takeLive(handle: number, tables: number): number {
    const words = this.#live;
    let live = 0;
    for (let at = handle; at < handle + tables; at++) {
      const one = words[at] as number;
      if (one <= 0) return 0;
      live += one;
    }
    words.fill(0, handle, handle + tables);
    return live;
  }

  /** Adds to the live entries. A handle of -1 is ignored: foreign tables are not counted. */
  add(handle: number, entries: number): void {
    if (handle >= 0) this.#live[handle] = (this.#live[handle] as number) + entries;
  }

  /** Adds to the live entries of each of several tables in adjacent frames. A handle of -1 is ignored. */
  addEach(handle: number, tables: number, entries: number): void {
    if (handle < 0) return;
    for (let i = 0; i < tables; i++) this.add(handle + i, entries);
  }

  /** Watches a page table once it has its root, so that a restore can tell it whether it still exists. */
  watch(table: Watched): void {
    if (this.#watched.size >= this.#pruneAt) {
      for (const [owner, one] of this.#watched) if (one.deref() === undefined) this.#watched.delete(owner);
      this.#pruneAt = Math.max(FIRST_PRUNE, 2 * this.#watched.size);
    }
    this.#watched.set(table.owner, new WeakRef(table));
    if (this.#memories.has(table.memory)) return;
    this.#memories.add(table.memory);
    const others = recordsOver(table.memory).map((one) => new WeakRef(one));
    byMemory.set(table.memory, [...others, new WeakRef<TableRecords>(this)]);
  }

  /** The watched page tables that somebody still holds, oldest first. */
  watched(): Watched[] {
    const tables = [...this.#watched.values()].map((one) => one.deref()).filter((one) => one !== undefined);
    return tables.sort((a, b) => a.owner - b.owner);
  }

  /** True when a restore removed the page table, because it was made after the snapshot. */
  isGone(owner: number): boolean {
    return isWithin(this.#gone, owner);
  }

  /** All records as words, and the ranges of owners that a restore removed. For snapshots. */
  get bytes(): { readonly words: Int32Array; readonly nextOwner: number; readonly gone: readonly number[] } {
    return { words: this.#words, nextOwner: this.#words[NEXT_OWNER] as number, gone: this.#gone };
  }

  /**
   * Takes over what a restore has written into the words. Owners' numbers never go back: a new page table
   * must not get the number, and with it the tables, of one that vanished.
   *
   * @param next - the next owner's number before the restore.
   * @param later - owners from this number on came after the snapshot: they are gone.
   * @param gone - the ranges that were gone at the snapshot.
   */
  afterRestore(next: number, later: number, gone: readonly number[]): void {
    const list = [...gone];
    this.#words[NEXT_OWNER] = next;
    if (list.at(-1) === later) list[list.length - 1] = next;
    else if (later < next) list.push(later, next);
    this.#gone = list;
  }
}

function recordsOver(memory: object): TableRecords[] {
  const list = byMemory.get(memory) ?? [];
  return list.map((one) => one.deref()).filter((one) => one !== undefined);
}

const byState: WeakMap<ArrayBufferLike, TableRecords> = new WeakMap();

/** Records by memory. Weak, so that an allocator that was dropped can be collected. */
const byMemory: WeakMap<object, WeakRef<TableRecords>[]> = new WeakMap();

/** True when a number lies in one of the ranges. */
function isWithin(ranges: readonly number[], value: number): boolean {
  for (let i = 0; i < ranges.length; i += 2) {
    if (value >= (ranges[i] as number) && value < (ranges[i + 1] as number)) return true;
  }
  return false;
}
