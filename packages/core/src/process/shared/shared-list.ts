import { VmError } from '../../errors.js';
import type { LinuxUser } from '../../format/linux-policy.js';
import type { PageTableFormat } from '../../format/page-table-format.js';
import type { Space } from '../../space/space.js';
import type { PageTable } from '../../table/page-table.js';
import { adoptTable } from '../../table/shared/share-table.js';
import type { FlushSink } from '../../table/state/flush-sink.js';
import { contextBehind, contextOf } from '../../table/state/registry.js';
import type { RobustLock } from '../../threads/robust-lock.js';
import { joinWords } from '../../words.js';
import {
  ASIDS,
  type KernelUser,
  type ListThreads,
  type ProcessList,
  type ProcessThreads,
  type SharedRegionSpace,
} from '../process-list.js';
import { ENTRY_WORDS, Entry, EntryState, HAS_KERNEL_HALF, LIST_HEADER, ListWord } from './layout.js';
import { ProcessLock } from './process-lock.js';
import type { ProcessSharing } from './process-sharing.js';

/** A table of a process, as this thread has it. */
interface Known {
  readonly asid: number;
  readonly table: PageTable;
  /** Set where this thread has a `Process` over the table. */
  readonly process: ProcessThreads | null;
}

/** Bytes of the list of processes of a kernel. The host gives memory for what is used. */
export const LIST_BYTES: number = 4 * (LIST_HEADER + ENTRY_WORDS * ASIDS);

/**
 * The processes of a kernel that several threads use: a word for each fact, one entry for each asid. Entries change under a lock; the
 * number of a process is stored last and cleared first, so a look without the lock finds a whole entry or none.
 */
export class SharedList implements ProcessList, ListThreads {
  readonly threads: ListThreads = this;
  readonly words: Int32Array;
  readonly sharing: ProcessSharing;
  readonly lock: RobustLock;
  readonly #space: Space;
  readonly #open: (space: SharedRegionSpace, list: SharedList) => ProcessThreads;
  readonly #user: LinuxUser;
  /** Calls of this thread on processes of the kernel that have begun. */
  calls = 0;
  /** By number; by `unnamed` for a process in the making that a thread has left. */
  readonly #known: Map<number, Known> = new Map();
  #gone = 0;

  /** @param open - begins to share a process. */
  constructor(
    space: Space,
    user: LinuxUser,
    sharing: ProcessSharing,
    buffer: SharedArrayBuffer,
    open: (space: SharedRegionSpace, list: SharedList) => ProcessThreads,
  ) {
    this.#open = open;
    this.#space = space;
    this.#user = user;
    this.sharing = sharing;
    this.words = new Int32Array(buffer);
    this.lock = sharing.lock(this.words, ListWord.lock, 'the processes of the kernel');
    this.noteFormat(space.format);
  }

  get count(): number {
    return Atomics.load(this.words, ListWord.count);
  }

  get zero(): number {
    return Atomics.load(this.words, ListWord.zero) - 1;
  }

  set zero(index: number) {
    Atomics.store(this.words, ListWord.zero, index + 1);
  }

  newFamily(): number {
    return Atomics.add(this.words, ListWord.families, 1) + 1;
  }

  newInode(): number {
    return Atomics.add(this.words, ListWord.inodes, 1) + 1;
  }

  locked<R>(call: () => R): R {
    return this.lock.isMine ? call() : this.lock.with(call);
  }

  hasAsid(asid: number): boolean {
    return this.stateOf(asid) !== EntryState.none;
  }

  add({ asid, table, hasKernelHalf }: KernelUser): void {
    const { words } = this;
    const at = entryAt(asid);
    const { root, owner, frames, plan } = contextOf(table);
    const format = this.#user.formats.indexOf(plan.format.name);
    Atomics.store(words, at + Entry.root, root.pfn - (frames?.first ?? 0) + 1);
    Atomics.store(words, at + Entry.owner, owner);
    Atomics.store(words, at + Entry.format, format | (hasKernelHalf ? HAS_KERNEL_HALF : 0));
    Atomics.store(words, at + Entry.creator, this.sharing.id);
    if (Atomics.load(words, ListWord.bound) <= asid) Atomics.store(words, ListWord.bound, asid + 1);
    Atomics.store(words, at + Entry.state, EntryState.making);
    this.recount();
  }

  remove({ asid }: KernelUser): void {
    this.removeAt(asid);
  }

  /** Frees the entry of an asid. */
  removeAt(asid: number): void {
    const at = entryAt(asid);
    this.#drop(Atomics.load(this.words, at + Entry.number));
    this.#drop(unnamed(asid));
    Atomics.store(this.words, at + Entry.number, 0);
    Atomics.add(this.words, ListWord.gone, 1);
    Atomics.store(this.words, at + Entry.state, EntryState.none);
    this.recount();
  }

  /** Counts the processes. A death may come between an entry and the count. */
  recount(): void {
    let count = 0;
    this.each(() => count++);
    Atomics.store(this.words, ListWord.count, count);
  }

  eachRoot(visit: (pfn: number) => void): void {
    const { first } = this.#space.machine.tables;
    this.each((asid) => {
      const at = entryAt(asid);
      if ((Atomics.load(this.words, at + Entry.format) & HAS_KERNEL_HALF) !== 0)
        visit(first + Atomics.load(this.words, at + Entry.root) - 1);
    });
  }

  eachTable(visit: (table: PageTable) => void): void {
    this.sweep();
    this.each((asid) => visit(this.tableAt(asid)));
  }

  name({ asid }: KernelUser, face: object): number {
    const number = this.sharing.numberOf(face);
    Atomics.store(this.words, entryAt(asid) + Entry.number, number);
    return number;
  }

  /** A `Process` of this thread has a table: its sink is told of flushes. */
  know(number: number, asid: number, table: PageTable, process: ProcessThreads): void {
    this.#drop(number);
    this.#known.set(number, { asid, table, process });
  }

  /** The process of an asid, when this thread has it. */
  processAt(asid: number): ProcessThreads | null {
    return this.#known.get(this.numberOf(asid))?.process ?? null;
  }

  tableOf(number: number): PageTable | null {
    this.sweep();
    const known = this.#known.get(number);
    if (known !== undefined) return known.table;
    const asid = this.asidOf(number);
    return asid < 0 ? null : this.#take(number, asid);
  }

  /** The asid of a process; -1 when it is gone. */
  asidOf(number: number): number {
    const bound = Atomics.load(this.words, ListWord.bound);
    for (let asid = 0; asid < bound; asid++)
      if (Atomics.load(this.words, entryAt(asid) + Entry.number) === number) return asid;
    return -1;
  }

  /** Calls with the asid of each process, also of those that are being made. */
  each(visit: (asid: number) => void): void {
    const bound = Atomics.load(this.words, ListWord.bound);
    for (let asid = 0; asid < bound; asid++) if (this.stateOf(asid) !== EntryState.none) visit(asid);
  }

  /** Gives back locks of processes that are gone: a thread may die in `destroy` when the process is in the list no more. For a recovery. */
  freeLocks(): void {
    const bound = Atomics.load(this.words, ListWord.bound);
    for (let asid = 0; asid < bound; asid++)
      if (this.stateOf(asid) === EntryState.none) this.lockOf(asid).freeOfDead();
  }

  stateOf(asid: number): number {
    return Atomics.load(this.words, entryAt(asid) + Entry.state);
  }

  numberOf(asid: number): number {
    return Atomics.load(this.words, entryAt(asid) + Entry.number);
  }

  creatorOf(asid: number): number {
    return Atomics.load(this.words, entryAt(asid) + Entry.creator);
  }

  /** The process is whole. */
  markOpen(asid: number): void {
    if (this.stateOf(asid) === EntryState.making)
      Atomics.store(this.words, entryAt(asid) + Entry.state, EntryState.own);
  }

  /** Other threads may have the process from now on. */
  markShared(asid: number): void {
    Atomics.store(this.words, entryAt(asid) + Entry.state, EntryState.shared);
  }

  /** Physical address in bytes of the root of a process. */
  rootOf(asid: number): bigint {
    const index = Atomics.load(this.words, entryAt(asid) + Entry.root) - 1;
    return BigInt(this.#space.machine.tables.first + index) << BigInt(this.#space.pageShift);
  }

  /** The lock of a process. */
  lockOf(asid: number): RobustLock {
    return this.sharing.lock(this.words, entryAt(asid) + Entry.lock, `the process with asid ${asid}`);
  }

  /** Forgets the tables of processes that other threads have destroyed. */
  sweep(): void {
    const gone = Atomics.load(this.words, ListWord.gone);
    if (gone === this.#gone) return;
    this.#gone = gone;
    for (const [number, { asid, process }] of this.#known) {
      if (this.numberOf(asid) === number) continue;
      // Its thread may have died before it could say so.
      process?.close();
      this.#drop(number);
    }
  }

  /** This thread's table of a process that may still be in the making, for a recovery. */
  tableAt(asid: number): PageTable {
    const number = this.numberOf(asid);
    const known = number === 0 ? this.#known.get(unnamed(asid))?.table : this.tableOf(number);
    return known ?? this.#take(number, asid);
  }

  makeTable(options: Parameters<ListThreads['makeTable']>[0]): PageTable {
    return this.sharing.makeTable(options);
  }

  makeLock(): ProcessLock {
    return new ProcessLock(this);
  }

  openProcess(space: SharedRegionSpace): ProcessThreads {
    return this.#open(space, this);
  }

  noteFormat(format: PageTableFormat): void {
    this.sharing.formats.set(format.name, format);
  }

  /** This thread's table of a process, told to a sink. @throws VmError `EINVAL` for a process that is gone. */
  adopt(number: number, asid: number, sink?: FlushSink): PageTable {
    const { words } = this;
    const at = entryAt(asid);
    const { memory, machine } = this.#space;
    const frames = machine.tables;
    const format = this.#formatAt(at);
    const root = this.rootOf(asid);
    const owner = Atomics.load(words, at + Entry.owner);
    if (this.numberOf(asid) !== number) throw new VmError('EINVAL', 'the process was destroyed');
    return adoptTable(
      {
        ...{ format: format.name, root, owner, asid },
        records: contextBehind(this.#space.table).records?.state as SharedArrayBuffer,
        tableEntry: this.#user.tableEntry ?? joinWords(format.tableEntry.lo, format.tableEntry.hi),
        controls: {},
      },
      { format, memory, frames, threads: this.sharing, ...(sink === undefined ? {} : { sink }) },
    );
  }

  /** A table over the root of a process that this thread has not attached. */
  #take(number: number, asid: number): PageTable {
    const table = this.adopt(number, asid);
    this.#known.set(number === 0 ? unnamed(asid) : number, { asid, table, process: null });
    return table;
  }

  /** @throws VmError `EINVAL` for a format that this thread has not. */
  #formatAt(at: number): PageTableFormat {
    const index = Atomics.load(this.words, at + Entry.format) & (HAS_KERNEL_HALF - 1);
    const name = this.#user.formats[index] as string;
    const format = this.sharing.formats.get(name);
    if (format !== undefined) return format;
    throw new VmError('EINVAL', `a process has the format ${name}, which this thread has not`, {
      advice: 'pass it in `formats` to attach()',
    });
  }

  #drop(number: number): void {
    const known = this.#known.get(number);
    if (known === undefined) return;
    this.#known.delete(number);
    this.sharing.dropTable(known.table);
  }
}

/** Names a process that has no number yet. */
function unnamed(asid: number): number {
  return -1 - asid;
}

/** Where the entry of an asid begins. */
function entryAt(asid: number): number {
  return LIST_HEADER + ENTRY_WORDS * asid;
}
