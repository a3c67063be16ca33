import { integerOption } from '../check/members.js';
import { optionsOf } from '../check/options.js';
import { shown, VmError } from '../errors.js';
import type { PageTableFormat } from '../format/page-table-format.js';
import type { FrameAllocator } from '../memory/frames/frame-allocator.js';
import type { FrameCalls, FrameSharing } from '../memory/frames/frame-sharing.js';
import type { FrameState } from '../memory/frames/frame-state.js';
import { adoptFrames } from '../memory/frames/shared/describe-frames.js';
import { SharedFrames } from '../memory/frames/shared/shared-frames.js';
import { isShared } from '../memory/host.js';
import { printsItself } from '../prints.js';
import { openProcesses } from '../process/shared/open-processes.js';
import type { ProcessSharing } from '../process/shared/process-sharing.js';
import type { Space } from '../space/space.js';
import { PageTable } from '../table/page-table.js';
import { TableThreads } from '../table/shared/table-threads.js';
import type { PageTableOptions } from '../table/state/make.js';
import { contextBehind } from '../table/state/registry.js';
import { MOST_THREADS, State } from '../threads/layout.js';
import { slotOf } from '../threads/registry.js';
import type { RobustLock } from '../threads/robust-lock.js';
import type { SharedPart, ThreadCalls } from '../threads/thread-calls.js';
import { type GroupBuffers, groupName, ThreadGroup } from '../threads/thread-group.js';
import type { KernelSpace } from '../vmap/kernel-space.js';
import { openSharedSpace } from '../vmap/share-space.js';
import { DEFAULT_LOG_BYTES, LEAST_LOG_BYTES } from '../vmap/shared/log-layout.js';
import type { SpaceSharing, SpaceThreads } from '../vmap/space-sharing.js';

/** Options of `Threads.create`. */
export interface ThreadsOptions {
  /** The most threads at once, this one included: 1 to 256. Default: 8. */
  readonly most?: number;
  /**
   * Bytes of the log by which threads learn of vm areas, for each address space that this thread makes. A half of it must hold a record of all
   * live areas, about 150 bytes each. Default: 16 MiB.
   */
  readonly logBytes?: number;
}

/**
 * The threads that use a memory together, as one of them sees it.
 *
 * Make it once, and pass it as `threads` to all that several threads use: allocators, page tables, address
 * spaces. `share` then describes them for another thread, and `attach` makes the same objects there. What is not
 * given `threads` is for one thread at a time.
 *
 * @example
 * ```ts
 * const threads = Threads.create();
 * const memory = PhysicalMemory.create({ bytes: 64 << 20, shared: true, loops: wasmLoops });
 * const frames = new FrameAllocator(memory, { threads });
 * const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames, threads });
 * ```
 */
export class Threads implements FrameSharing, SpaceSharing, ProcessSharing {
  /** @internal */
  readonly group: ThreadGroup;
  /** @internal */
  readonly tables: TableThreads;
  /**
   * What this thread has of the group, for a recovery.
   *
   * @internal
   */
  readonly here: {
    readonly frames: Set<SharedFrames>;
    readonly spaces: Set<KernelSpace>;
    readonly parts: Set<SharedPart>;
  } = { frames: new Set(), spaces: new Set(), parts: new Set() };
  /**
   * The formats of this thread, by name, for the tables of processes.
   *
   * @internal
   */
  readonly formats: Map<string, PageTableFormat> = new Map();
  readonly #logBytes: number | undefined;
  readonly #numbers = new WeakMap<object, number>();
  readonly #things = new Map<number, object>();

  /** @internal */
  constructor(group: ThreadGroup, logBytes?: number) {
    this.group = group;
    this.tables = new TableThreads(group);
    this.#logBytes = logBytes;
    known.set(groupName(group.buffers), this);
    printsItself(new.target.prototype);
  }

  /**
   * Makes a group with this thread in it.
   *
   * @throws VmError `EINVAL` for an invalid option, or where the host has no SharedArrayBuffer: a browser gives it
   *   to pages that are cross-origin isolated.
   */
  static create(options?: ThreadsOptions): Threads {
    const given = optionsOf<ThreadsOptions>(options, ['most', 'logBytes'], 'Threads.create()');
    const most = integerOption(given, 'most', 1, MOST_THREADS, 8);
    const logBytes = integerOption(given, 'logBytes', LEAST_LOG_BYTES, 2 ** 30, DEFAULT_LOG_BYTES);
    return new this(ThreadGroup.create(most), logBytes);
  }

  /**
   * The group of some buffers in this thread. A thread joins a group once: an invitation that it does not need goes
   * back.
   *
   * @internal
   */
  static of(buffers: GroupBuffers, invitation: number): Threads {
    const before = known.get(groupName(buffers));
    if (before === undefined) return new this(new ThreadGroup(buffers, invitation));
    before.group.registry.cancel(invitation);
    return before;
  }

  /** Names this thread, in messages and for `declareDead`. */
  get id(): number {
    return this.group.token;
  }

  /** Its place among the threads, from 0 on. A later thread may get it again. */
  get slot(): number {
    return this.group.slot;
  }

  /** The threads that died and whose work `recover` has not mended. */
  get dead(): readonly number[] {
    return this.group.dead().map((slot) => this.group.registry.tokenOf(slot));
  }

  /** Number of threads that are attached, this one included. */
  get count(): number {
    return this.group.registry.in(State.live).length;
  }

  /** What this thread has freed and others may still hold: tables, in pieces. It waits for their quiescent points. */
  get pending(): number {
    return this.group.quiescence.waiting;
  }

  /**
   * A quiescent point: says that this thread uses nothing any more that it has read from tables. Flushes that other
   * threads asked for reach this thread's sinks here, and tables that were taken out are given back once every thread
   * has passed one.
   *
   * Call it in the loop of a worker. It costs some tens of nanoseconds. A thread that never calls it keeps the frames
   * of freed tables from being used again, and nothing else.
   *
   * @throws VmError `EBUSY` inside a call; `EINVAL` after `leave`.
   */
  quiesce(): void {
    this.#requireHere();
    this.group.quiesce();
  }

  /**
   * True when another thread has asked for a flush that this thread's sinks have not got. A processor that shares tables with
   * other threads looks before each access: what it has translated may be gone. It takes two loads.
   *
   * @example
   * ```ts
   * if (threads.isBehind) threads.deliver();
   * mmu.loadSigned32(hi, lo, true);
   * ```
   */
  get isBehind(): boolean {
    return this.group.flushes.isBehind;
  }

  /**
   * Gives this thread's sinks the flushes that other threads have asked for. Unlike `quiesce`, it says nothing of what this thread has read.
   *
   * @throws VmError `EINVAL` after `leave`; what a sink throws.
   */
  deliver(): void {
    this.#requireHere();
    this.group.deliver();
  }

  /**
   * A lock for something that threads share beside tables, in two words that are 0 at first. Its owner may die: who meets the lock of a dead
   * thread gets `EOWNERDEAD`.
   *
   * @param words - over a SharedArrayBuffer that all threads have.
   * @param at - index of the first of the two words.
   * @param what - what it protects, for messages.
   * @throws VmError `EINVAL` for words that are not shared.
   */
  lock(words: Int32Array, at: number, what: string): RobustLock {
    if (!(words instanceof Int32Array) || !isShared(words.buffer))
      throw new VmError('EINVAL', 'a lock needs an Int32Array over a SharedArrayBuffer');
    integerOption({ at }, 'at', 0, words.length - 2);
    return this.group.lock(words, at, what);
  }

  /**
   * Calls a function once no thread can hold what was taken out of the tables before this call: after every thread's next quiescent point.
   *
   * @param give - gives it back. It is called from `quiesce` of this thread.
   */
  retire(give: () => void): void {
    this.group.quiescence.retire(give);
  }

  /**
   * Notes that a thread died: it was terminated, or its worker has ended by itself. Its locks and its unfinished calls
   * then wait for `recover`. Only who ended a thread or saw it end can know; a thread that only stands still is alive.
   *
   * @param id - `Threads.id` there, or `thread` of the description by which it attached.
   * @returns false when it has left, or when its death is known.
   * @throws VmError `EINVAL` for this thread itself, or for what is no thread.
   * @example
   * ```ts
   * worker.on('exit', () => {
   *   if (threads.declareDead(description.thread)) recover(threads);
   * });
   * ```
   */
  declareDead(id: number): boolean {
    this.#requireHere();
    if (!Number.isInteger(id) || id <= 0 || slotOf(id) >= this.group.registry.slots || slotOf(id) < 0)
      throw new VmError('EINVAL', `${shown(id)} names no thread`, {
        advice: 'pass `thread` of its description',
      });
    if (id === this.id) throw new VmError('EINVAL', 'this thread is alive');
    return this.group.registry.declareDead(id);
  }

  /**
   * Leaves the group. Objects of this thread that were shared must not be used afterwards.
   *
   * @returns false when frames of tables that it freed could not be given back yet, because another thread has not
   *   passed a quiescent point: `recover` of another thread gives them back.
   * @throws VmError `EBUSY` inside a call.
   */
  leave(): boolean {
    const isDone = this.group.leave();
    known.delete(groupName(this.group.buffers));
    return isDone;
  }

  /**
   * A number that names an object in all threads: what a description of the object carries. It is drawn at the first call, from 1 on, and
   * no other object of the group gets it.
   *
   * @param thing - this thread's object.
   * @example
   * ```ts
   * const number = threads.numberOf(device); // in the thread that made it
   * const same = threads.keep(number, () => new Device(buffers)); // in another thread, given the number and the buffers
   * ```
   */
  numberOf(thing: object): number {
    const found = this.#numbers.get(thing);
    if (found !== undefined) return found;
    const number = this.group.newNumber();
    this.#note(thing, number);
    return number;
  }

  /**
   * This thread's object with a number, as `numberOf` gave it in some thread.
   *
   * @param make - makes it over memory that all threads have; called when this thread has none yet.
   * @throws what `make` throws: nothing is kept then.
   */
  keep<T extends object>(number: number, make: () => T): T {
    const found = this.#things.get(number);
    if (found !== undefined) return found as T;
    const made = make();
    this.#note(made, number);
    return made;
  }

  /** This thread's object with a number; `undefined` when it has none. */
  find(number: number): object | undefined {
    return this.#things.get(number);
  }

  /**
   * Lets `recover` and `check` of this thread know something that threads share beside tables. Each thread adds its own object. Only the thread
   * that recovers asks its parts, so it must have them all.
   */
  addPart(part: SharedPart): void {
    this.here.parts.add(part);
  }

  /** `recover` and `check` of this thread ask the part no more. */
  removePart(part: SharedPart): void {
    this.here.parts.delete(part);
  }

  /** @internal */
  get calls(): ThreadCalls {
    return this;
  }

  /**
   * True while this thread is in a call of the library: a frame that it takes belongs to that call.
   *
   * @internal
   */
  get isInCall(): boolean {
    if (this.group.sections.isInside) return true;
    for (const { lock } of this.here.spaces) if (lock.isBusy) return true;
    for (const { isBusy } of this.here.parts) if (isBusy) return true;
    return false;
  }

  /** @internal */
  framesOf(state: FrameState): FrameCalls {
    for (const known of this.here.frames) if (known.state.buffer === state.buffer) return known;
    const calls = new SharedFrames(state, this);
    this.here.frames.add(calls);
    return calls;
  }

  /**
   * The allocators that this thread shares.
   *
   * @internal
   */
  get allocators(): readonly FrameAllocator[] {
    return [...this.here.frames].map(({ state }) =>
      adoptFrames({ state: state.buffer as SharedArrayBuffer }, this),
    );
  }

  /** @internal */
  makeTable(options: PageTableOptions): PageTable {
    return new PageTable({ ...options, threads: this });
  }

  /** @internal */
  openSpace(space: Space): SpaceThreads {
    this.here.spaces.add(space as KernelSpace);
    openProcesses(space as KernelSpace, this);
    return openSharedSpace(space, this.group, this.#logBytes);
  }

  /**
   * Runs calls on page tables in one section.
   *
   * @internal
   */
  together<R>(call: () => R): R {
    const isOutermost = this.tables.begin();
    try {
      return call();
    } finally {
      if (isOutermost) this.tables.end();
    }
  }

  /**
   * Runs calls on page tables while no other thread is inside one.
   *
   * @throws VmError `EOWNERDEAD` before the call when a thread died inside; `EAGAIN` where this thread may not wait.
   * @internal
   */
  alone<R>(call: () => R): R {
    return this.group.sections.exclusive(call);
  }

  /** @internal */
  dropTable(table: PageTable): void {
    this.tables.drop(contextBehind(table));
  }

  /**
   * Forgets the object with a number.
   *
   * @internal
   */
  forget(number: number): void {
    this.#things.delete(number);
  }

  /** Who is there. */
  toString(): string {
    const { dead, count } = this;
    const died = dead.length === 0 ? '' : `, ${dead.length} died`;
    return `Threads: ${count} of ${this.group.registry.slots} attached${died}, this one is ${this.id}`;
  }

  #note(thing: object, number: number): void {
    this.#numbers.set(thing, number);
    this.#things.set(number, thing);
  }

  #requireHere(): void {
    if (this.group.hasLeft) throw new VmError('EINVAL', 'this thread has left the group');
  }
}

/** This thread's place in each group, by the name of the group. */
const known = new Map<string, Threads>();
