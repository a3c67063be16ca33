import { VmError } from '../errors.js';
import type { LinuxUser } from '../format/linux-policy.js';
import type { PageTableFormat } from '../format/page-table-format.js';
import type { ChangeLock } from '../space/change-lock.js';
import type { Space } from '../space/space.js';
import type { PageTable } from '../table/page-table.js';
import type { PageTableOptions } from '../table/state/make.js';
import type { RegionList } from './region-list.js';
import type { MappedObject, RegionOperations } from './region-operations.js';
import type { RegionSpace } from './region-record.js';

/** A process, as its kernel knows it. */
export interface KernelUser {
  readonly asid: number;
  readonly table: PageTable;
  /** Its root holds the kernel's half, too. */
  readonly hasKernelHalf: boolean;
}

/** A process whose regions several threads see, as one of them has it. */
export interface SharedRegionSpace extends Space, RegionSpace, KernelUser {
  readonly asid: number;
  readonly table: PageTable;
  readonly user: LinuxUser;
  readonly list: RegionList;
  readonly mostRegions: number;
  addressOf(page: number): bigint;
  pageOf(address: bigint): number;
}

/** What a region of a process that threads share does, known by a number. */
export interface NumberedKind {
  readonly number: number;
  readonly object: MappedObject | null;
  readonly operations: RegionOperations | null;
}

/** How threads share one process. */
export interface ProcessThreads {
  readonly space: SharedRegionSpace;
  /** True once some thread has destroyed the process. */
  readonly isGone: boolean;
  /** Its number: the same in all threads; 0 before `name`. */
  readonly number: number;
  /** The process has a number. */
  name(number: number): void;
  /** Runs calls on tables in one section: a death elsewhere ends none of them after the first. None of them frees tables. */
  together<R>(call: () => R): R;
  /** Runs calls on tables while no other thread is inside one: a death elsewhere ends the first, or none. They may free tables. */
  alone<R>(call: () => R): R;
  /** Reads the regions again, when another thread has changed them. */
  look(): void;
  /** Lets other threads take part from now on: the process is whole. */
  open(): void;
  /**
   * The number of what a region does.
   *
   * @throws VmError `EINVAL` for operations or an object without one.
   */
  kindOf(object: MappedObject | null, operations: RegionOperations | null): number;
  /** @throws VmError `EINVAL` for a name that finds no place. */
  requireName(name: string): void;
  /** Gives all threads the list of regions, when it has changed. This thread has the lock. */
  publish(): void;
  /** The process is gone. */
  close(): void;
}

/** The processes of a kernel: of one thread, or of several. */
export interface ProcessList {
  /** How many there are. */
  readonly count: number;
  /** The frame that all anonymous pages map until they are written, counted from the first of the allocator; -1 for none. */
  zero: number;
  /** A number for a family of anonymous pages. */
  newFamily(): number;
  /** An inode number for anonymous shared memory. */
  newInode(): number;
  /** Runs a call while no other thread adds or removes processes. */
  locked<R>(call: () => R): R;
  /** True when a process has an asid. */
  hasAsid(asid: number): boolean;
  /** Knows a process from now on. */
  add(user: KernelUser): void;
  /** The process is gone. */
  remove(user: KernelUser): void;
  /** Calls with the frame of the root of each process that has the kernel's half. */
  eachRoot(visit: (pfn: number) => void): void;
  /** Calls with the table of each process, also of one that this thread has not attached. */
  eachTable(visit: (table: PageTable) => void): void;
  /** The number of a process, which is whole but for its pages. */
  name(user: KernelUser, face: object): number;
  /** The table of a process with a number; `null` when it is gone. */
  tableOf(number: number): PageTable | null;
  /** How threads share what is made; `null` for one thread. */
  readonly threads: ListThreads | null;
}

/** What a process of several threads is made with. */
export interface ListThreads {
  makeTable(options: PageTableOptions): PageTable;
  /** Its lock. */
  makeLock(): ChangeLock;
  /** Begins to share a process. */
  openProcess(space: SharedRegionSpace): ProcessThreads;
  /** The formats of user addresses that this thread knows. */
  noteFormat(format: PageTableFormat): void;
}

/** By the space of a kernel; none for a kernel of one thread without processes. */
export const processLists: WeakMap<Space, ProcessList> = new WeakMap();

/** The most asids. */
export const ASIDS: number = 65536;

/** The lowest asid from 1 on that no process has. @throws VmError `ENOMEM` */
export function freeAsid(list: ProcessList): number {
  for (let asid = 1; asid < ASIDS; asid++) if (!list.hasAsid(asid)) return asid;
  throw new VmError('ENOMEM', 'all 65535 asids are in use', { advice: 'destroy a process' });
}

/** The processes of a kernel of one thread. */
export class LocalList implements ProcessList {
  zero = -1;
  readonly threads = null;
  #families = 0;
  #inodes = 0;
  #numbers = 0;
  readonly #byAsid: Map<number, KernelUser> = new Map();
  readonly #byNumber: Map<number, KernelUser> = new Map();

  get count(): number {
    return this.#byAsid.size;
  }

  newFamily(): number {
    return ++this.#families;
  }

  newInode(): number {
    return ++this.#inodes;
  }

  locked<R>(call: () => R): R {
    return call();
  }

  hasAsid(asid: number): boolean {
    return this.#byAsid.has(asid);
  }

  add(user: KernelUser): void {
    this.#byAsid.set(user.asid, user);
  }

  remove(user: KernelUser): void {
    this.#byAsid.delete(user.asid);
    for (const [number, one] of this.#byNumber) if (one === user) this.#byNumber.delete(number);
  }

  eachRoot(visit: (pfn: number) => void): void {
    for (const { hasKernelHalf, table } of this.#byAsid.values())
      if (hasKernelHalf) visit(Number(table.root >> BigInt(table.format.pageShift)));
  }

  eachTable(visit: (table: PageTable) => void): void {
    for (const { table } of this.#byAsid.values()) visit(table);
  }

  name(user: KernelUser): number {
    this.#byNumber.set(++this.#numbers, user);
    return this.#numbers;
  }

  tableOf(number: number): PageTable | null {
    return this.#byNumber.get(number)?.table ?? null;
  }
}
