import { VmError } from '../errors.js';
import type { FrameAllocator } from '../memory/frames/frame-allocator.js';
import type { OwnerMarks } from '../memory/frames/frame-sharing.js';
import { isShared, makeBuffer } from '../memory/host.js';
import { type HeldFrames, heldFrames } from '../space/held-frames.js';
import { LocalMarks } from '../space/local-marks.js';
import { TableRecords } from '../table/state/table-records.js';

/** Bit of a count: the page is anonymous, so it belongs to processes alone (PageAnon). */
const ANONYMOUS = 2 ** 30;
/** Bit of a count: the frame is in a block whose area has freed it while processes mapped some of it. */
const ORPHAN = 2 ** 29;
const COUNT = ORPHAN - 1;
/**
 * Both bits: the last user of an anonymous page has let go, and a thread frees it. The count is then the slot of that thread. So the
 * one that frees is decided by the compare-exchange that ends the last use, and a recovery knows whether it is dead.
 */
const FREEING = ANONYMOUS | ORPHAN;

/** log2 of the frames of the largest block. */
const MAX_ORDER = 18;

/** A frame with who counts it. */
export interface Counted {
  readonly pfn: number;
  readonly counts: PageReferences;
}

/**
 * How many users each frame of an allocator has: one count for all processes (struct page's _refcount). A frame goes
 * back to the allocator when its last user lets go, unless an area owns it.
 *
 * Whoever gives a frame to processes and keeps it takes a reference of its own. The counts are in one Int32Array. It
 * is shared, and changed by atomics, when the state of the allocator is. A frame that several threads may have mapped then waits for
 * their next quiescent points: a processor of another thread may still use an old translation.
 *
 * @example
 * ```ts
 * const references = PageReferences.of(frames);
 * const pfn = frames.allocate();
 * references.take(pfn); // ours
 * process.insertPage(region, region.start, pfn); // and the process's
 * references.put(pfn); // the process keeps it
 * process.destroy(); // now it is free
 * ```
 */
export class PageReferences implements HeldFrames {
  readonly #ram: FrameAllocator;
  /** A word for each frame, and one that is 1 once any has had a user. */
  readonly #counts: Int32Array;
  readonly #marks: OwnerMarks;
  readonly #isShared: boolean;
  /** This thread has noted that frames have users. */
  #isInUse = false;

  private constructor(ram: FrameAllocator, buffer: ArrayBufferLike) {
    this.#ram = ram;
    this.#marks = ram.calls?.marks ?? LocalMarks.of(ram);
    this.#counts = new Int32Array(buffer);
    this.#isShared = isShared(buffer);
  }

  /**
   * Those of an allocator: one object for all that use its state.
   *
   * @param buffer - the counts that another thread has made. @internal
   * @throws VmError `ENOMEM` when the host has too little memory: 4 bytes a frame.
   */
  static of(ram: FrameAllocator, buffer?: ArrayBufferLike): PageReferences {
    let references = byState.get(ram.state);
    if (references === undefined) {
      const what = `the references of ${ram.frames} frames`;
      references = new this(ram, buffer ?? makeBuffer(4 * ram.frames + 4, isShared(ram.state), what));
      byState.set(ram.state, references);
      heldFrames.set(ram.state, references);
    }
    return references;
  }

  /** The counts, for other threads. @internal */
  get buffer(): ArrayBufferLike {
    return this.#counts.buffer;
  }

  /** True once a frame has had a user. @internal */
  get isUsed(): boolean {
    return Atomics.load(this.#counts, this.#ram.frames) !== 0;
  }

  /** True for a frame of the allocator. */
  covers(pfn: number): boolean {
    const { first, frames } = this.#ram;
    return Number.isInteger(pfn) && pfn >= first && pfn < first + frames;
  }

  /** Users of a frame; 0 for a frame of another allocator. */
  count(pfn: number): number {
    return this.covers(pfn) ? usersIn(this.#load(pfn)) : 0;
  }

  /** True for a page that belongs to processes alone, and to no object (PageAnon). */
  isAnonymous(pfn: number): boolean {
    return this.covers(pfn) && (this.#load(pfn) & FREEING) === ANONYMOUS;
  }

  /**
   * As validate_page_before_insert in `mm/memory.c` (Linux 6.12).
   *
   * @throws VmError `EINVAL` for a frame that is free, anonymous, or that holds a page table. @internal
   */
  requireInsertable(pfn: number): void {
    if (this.isAnonymous(pfn))
      throw new VmError(
        'EINVAL',
        `frame 0x${pfn.toString(16)} is an anonymous page, which only fork shares`,
        {
          advice: 'use shared memory',
        },
      );
    const isTable = TableRecords.of(this.#ram).find(pfn) >= 0;
    if (!isTable && (this.count(pfn) > 0 || this.#isOwned(pfn))) return;
    throw new VmError('EINVAL', `frame 0x${pfn.toString(16)} ${isTable ? 'holds a page table' : 'is free'}`, {
      advice: 'allocate it first',
    });
  }

  /** Notes the first user of a frame that was just allocated. @internal */
  start(pfn: number, isAnonymous: boolean): void {
    this.#use();
    Atomics.store(this.#counts, pfn - this.#ram.first, isAnonymous ? ANONYMOUS + 1 : 1);
  }

  /**
   * Notes one more user of a frame (get_page).
   *
   * @throws VmError `ERANGE` for a frame of another allocator.
   */
  take(pfn: number): void {
    this.#use();
    const at = this.#at(pfn);
    if (this.#isShared) Atomics.add(this.#counts, at, 1);
    else (this.#counts[at] as number)++;
  }

  /**
   * Notes one more user of each frame of a list, as `take` does.
   *
   * @throws VmError `ERANGE` for a frame of another allocator: those before it are noted.
   */
  takeMany(pfns: ArrayLike<number>): void {
    for (let i = 0; i < pfns.length; i++) this.take(pfns[i] as number);
  }

  /**
   * Lets go of each frame of a list, as `put` does.
   *
   * @throws VmError as `put`: the user has let go of the frames before it.
   */
  putMany(pfns: ArrayLike<number>): void {
    const { calls } = this.#ram;
    if (calls === null) {
      for (let i = 0; i < pfns.length; i++) this.#putOne(pfns[i] as number);
      return;
    }
    const last: number[] = [];
    try {
      for (let i = 0; i < pfns.length; i++) {
        const pfn = pfns[i] as number;
        if (this.#isLast(pfn)) last.push(pfn);
        else this.put(pfn);
      }
    } finally {
      if (last.length > 0) calls.giveWhenUnseen(last, last.length, 0);
    }
  }

  /**
   * Notes one more user of a frame, who maps it in a call: a thread that dies in between leaves a count that is too large, never one that
   * is too small.
   *
   * @throws VmError `ERANGE` for a frame of another allocator; what the call throws: the user is none then.
   * @internal
   */
  takeFor(pfn: number, call: () => void): void {
    const at = this.#at(pfn);
    const wasOwned = this.#marks.has(at);
    this.take(pfn);
    try {
      call();
    } catch (error) {
      // A caller may have a frame without a count: only what an area has freed meanwhile goes.
      if (wasOwned && !this.#marks.has(at)) this.put(pfn);
      else if (Atomics.sub(this.#counts, at, 1) - 1 === ORPHAN) this.#freeOrphan(pfn);
      throw error;
    }
  }

  /**
   * Ends what a dead thread began: it was allocating a frame, or letting go of one. Lets go of the frame, unless the thread had, and frees
   * it when nobody uses it.
   */
  putUnfinished(pfn: number): void {
    const { calls } = this.#ram;
    if (this.count(pfn) > 0) this.put(pfn);
    else if (calls?.isAllocated(pfn, 0) === true && !calls.isBeingFreed(pfn))
      calls.giveWhenUnseen([pfn], 1, 0);
  }

  /**
   * Notes that a user lets go of a frame (put_page). The last one frees it, unless an area owns it.
   *
   * @throws VmError `ERANGE` for a frame of another allocator; `EINVAL` when it has no user.
   */
  put(pfn: number): void {
    const at = this.#at(pfn);
    for (;;) {
      const was = Atomics.load(this.#counts, at);
      const users = usersIn(was);
      if (users === 0)
        throw new VmError('EINVAL', `frame 0x${pfn.toString(16)} has no reference to give back`);
      const isEnd = was === ANONYMOUS + 1;
      const left = isEnd ? this.#freeing : was - 1;
      if (Atomics.compareExchange(this.#counts, at, was, left) !== was) continue;
      if (users > 1) return;
      if (isEnd) this.#freeAnonymous(pfn);
      else if (left === ORPHAN) this.#freeOrphan(pfn);
      else if (!this.#marks.has(at) && this.#ram.isAllocated(pfn)) this.#freeBlock(pfn, 0);
      return;
    }
  }

  /**
   * Sets the users of an anonymous page, for a recovery that has counted them. Without one, the frame is free.
   *
   * @returns false when the number was right, or another thread frees the page.
   * @internal
   */
  settle(pfn: number, users: number): boolean {
    const at = this.#at(pfn);
    const was = Atomics.load(this.#counts, at);
    if ((was & FREEING) !== ANONYMOUS || usersIn(was) === users) return false;
    const now = users === 0 ? this.#freeing : ANONYMOUS + users;
    if (Atomics.compareExchange(this.#counts, at, was, now) === was && users === 0) this.#freeAnonymous(pfn);
    return true;
  }

  /**
   * Frees the anonymous pages that dead threads were freeing.
   *
   * @param isDead - by slot.
   * @returns how many.
   * @internal
   */
  finishFrees(isDead: (slot: number) => boolean): number {
    const { first, frames } = this.#ram;
    let done = 0;
    for (let pfn = first; pfn < first + frames; pfn++) {
      const word = this.#load(pfn);
      if ((word & FREEING) !== FREEING || !isDead(word & COUNT)) continue;
      this.#freeAnonymous(pfn);
      done++;
    }
    return done;
  }

  /**
   * Calls with each anonymous page.
   *
   * @internal
   */
  eachAnonymous(visit: (pfn: number) => void): void {
    const { first, frames } = this.#ram;
    for (let pfn = first; pfn < first + frames; pfn++) if (this.isAnonymous(pfn)) visit(pfn);
  }

  /**
   * True when somebody uses a frame of a block.
   *
   * @param head - first frame.
   * @param order - log2 of the frames.
   * @internal
   */
  isHeld(head: number, order: number): boolean {
    for (let pfn = head; pfn < head + 2 ** order; pfn++) if (this.count(pfn) > 0) return true;
    return false;
  }

  /** @internal */
  holdsBack(head: number, order: number): boolean {
    if (!this.isUsed || !this.isHeld(head, order)) return false;
    // First the marks, then a second look: the last user may have let go between them, and has freed nothing then.
    if (order > 0) this.#markBlock(head, order, true);
    this.#marks.set(head - this.#ram.first, false);
    if (!this.isHeld(head, order)) this.#freeBlock(head, order);
    return true;
  }

  /** The word of an anonymous page that this thread frees. */
  get #freeing(): number {
    return FREEING + (this.#ram.calls?.slot ?? 0);
  }

  /** Frees an anonymous page whose word says that this thread frees it, or that a dead one was. */
  #freeAnonymous(pfn: number): void {
    const { calls } = this.#ram;
    const forget = (): void => {
      Atomics.store(this.#counts, pfn - this.#ram.first, 0);
    };
    if (calls === null) this.#ram.free(pfn);
    // A dead thread may have come so far that the allocator knows.
    else if (calls.isAllocated(pfn, 0) && !calls.isBeingFreed(pfn)) {
      calls.giveWhenUnseen([pfn], 1, 0, forget);
      return;
    }
    forget();
  }

  /** Frees the block of a frame when nobody uses it any more. */
  #freeOrphan(pfn: number): void {
    for (let order = 1; order <= MAX_ORDER; order++) {
      const head = pfn - (pfn % 2 ** order);
      if (!this.#ram.isAllocated(head, order)) continue;
      if (!this.isHeld(head, order)) this.#freeBlock(head, order);
      return;
    }
  }

  /** Frees a block, unless another thread has freed it: of two that free it, one gets EINVAL. */
  #freeBlock(head: number, order: number): void {
    if (order > 0) this.#markBlock(head, order, false);
    const { calls } = this.#ram;
    try {
      if (calls === null) this.#ram.free(head, order);
      else calls.giveWhenUnseen([head], 1, order);
    } catch (error) {
      if (!(error instanceof VmError) || error.code !== 'EINVAL') throw error;
    }
  }

  #markBlock(head: number, order: number, isOrphan: boolean): void {
    const first = head - this.#ram.first;
    for (let at = first; at < first + 2 ** order; at++)
      if (isOrphan) Atomics.or(this.#counts, at, ORPHAN);
      else Atomics.and(this.#counts, at, ~ORPHAN);
  }

  /** True for a frame that is allocated, by itself or in a block, and that its area has not freed. */
  #isOwned(pfn: number): boolean {
    if ((this.#load(pfn) & ORPHAN) !== 0 || this.#ram.calls?.isBeingFreed(pfn) === true) return false;
    if (this.#marks.has(this.#at(pfn))) return true;
    for (let order = 0; order <= MAX_ORDER; order++)
      if (this.#ram.isAllocated(pfn - (pfn % 2 ** order), order)) return true;
    return false;
  }

  /** Takes the only reference of a frame that goes back to its allocator by itself; false when there are others. */
  #isLast(pfn: number): boolean {
    const at = this.#at(pfn);
    return (
      !this.#marks.has(at) &&
      this.#ram.isAllocated(pfn) &&
      Atomics.compareExchange(this.#counts, at, 1, 0) === 1
    );
  }

  /** `put` of a frame with one user, by plain words where one thread uses the counts. */
  #putOne(pfn: number): void {
    const at = pfn - this.#ram.first;
    if (this.#isShared || this.#counts[at] !== 1 || this.#marks.has(at) || !this.#ram.isAllocated(pfn)) {
      this.put(pfn);
      return;
    }
    this.#counts[at] = 0;
    this.#ram.free(pfn);
  }

  #use(): void {
    if (this.#isInUse) return;
    Atomics.store(this.#counts, this.#ram.frames, 1);
    this.#isInUse = true;
  }

  #load(pfn: number): number {
    return Atomics.load(this.#counts, pfn - this.#ram.first);
  }

  #at(pfn: number): number {
    if (this.covers(pfn)) return pfn - this.#ram.first;
    throw new VmError('ERANGE', `frame ${String(pfn)} is none of the allocator`);
  }
}

/** Users in a word. */
function usersIn(word: number): number {
  return (word & FREEING) === FREEING ? 0 : word & COUNT;
}

const byState: WeakMap<ArrayBufferLike, PageReferences> = new WeakMap();
