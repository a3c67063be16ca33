import { Process, type RegionObject, userPagesOf, VmError } from '@vmarea/core';
import type { ArenaCore } from '../kernel/core.js';
import type { Sharing } from '../kernel/sharing.js';
import type { Users } from '../kernel/users.js';
import { MOST_REGIONS, Word } from '../kernel/words.js';

/**
 * The regions that map an arena of several threads: the number of the process of each, in words. All of them are whole, and begin at the
 * arena's user address.
 */
export class SharedUsers implements Users {
  readonly #core: ArenaCore;
  readonly #sharing: Sharing;
  readonly #header: Int32Array;
  readonly #processes: Int32Array;
  /** Knows the regions of the processes that this thread has. */
  readonly #object: RegionObject;

  constructor(core: ArenaCore, sharing: Sharing, object: RegionObject) {
    this.#core = core;
    this.#sharing = sharing;
    this.#object = object;
    this.#header = core.words.header;
    this.#processes = core.words.regions;
  }

  /** Those of processes that are there: a thread that died may have left others. */
  get regions(): number {
    let count = 0;
    for (let i = 0; i < this.#count; i++) if (this.#pagesOf(i) !== null) count++;
    return count;
  }

  lock(): void {
    this.#sharing.users.acquire();
  }

  unlock(): void {
    this.#sharing.users.release();
  }

  /** A region of a process maps the arena from now on. This thread has the lock. @throws VmError `ENOMEM` when there are too many. */
  add(process: number): void {
    const count = this.#count;
    if (count === MOST_REGIONS)
      throw new VmError('ENOMEM', `${MOST_REGIONS} regions map the arena`, { advice: 'unmap some' });
    this.#processes[count] = process;
    Atomics.store(this.#header, Word.regions, count + 1);
  }

  /** A region of a process is gone. This thread has the lock. */
  remove(process: number): void {
    const last = this.#count - 1;
    const at = this.#processes.subarray(0, last + 1).lastIndexOf(process);
    if (at < 0) return;
    this.#processes[at] = this.#processes[last] as number;
    Atomics.store(this.#header, Word.regions, last);
  }

  zap(slot: number, pages: number): void {
    // A free of the old order, and a recovery, have the lock already.
    const isMine = this.#sharing.users.isMine;
    if (!isMine) this.lock();
    try {
      const { userStart, geometry } = this.#core;
      const first = Number(userStart >> BigInt(geometry.pageShift)) + slot;
      for (let i = 0; i < this.#count; i++) this.#pagesOf(i)?.zap(first, pages);
    } finally {
      if (!isMine) this.unlock();
    }
  }

  maps(pfn: number): boolean {
    // The arena itself is one user.
    return this.#core.pages.references.count(pfn) > 1;
  }

  countAt(slot: number, pfn: number): number {
    const { userStart, geometry } = this.#core;
    const page = Number(userStart >> BigInt(geometry.pageShift)) + slot;
    // A process may have several regions at the address: its number is in the list as often.
    const processes = new Set(this.#processes.subarray(0, this.#count));
    let count = 0;
    for (const process of processes)
      if (userPagesOf(this.#core.kernel, process)?.frameAt(page) === pfn) count++;
    return count;
  }

  mend(): void {
    for (let i = this.#count - 1; i >= 0; i--)
      if (this.#pagesOf(i) === null) this.remove(this.#processes[i] as number);
    for (const [process, excess] of this.#excess()) for (let i = 0; i < excess; i++) this.remove(process);
  }

  check(): readonly string[] {
    return [...this.#excess()].map(
      ([process, excess]) => `process ${process} is listed for ${excess} regions that it does not have`,
    );
  }

  /**
   * How many regions too many the list has of a process: its thread died before an mmap gave it the region, or after a munmap had taken
   * it. This thread has read the regions of its processes anew.
   */
  #excess(): Map<number, number> {
    const listed = new Map<number, number>();
    for (const process of this.#processes.subarray(0, this.#count))
      if (this.#sharing.threads.find(process) instanceof Process)
        listed.set(process, (listed.get(process) ?? 0) + 1);
    for (const { process } of this.#object.regions)
      listed.set(process.number, (listed.get(process.number) ?? 0) - 1);
    for (const [process, excess] of listed) if (excess <= 0) listed.delete(process);
    return listed;
  }

  get #count(): number {
    return Atomics.load(this.#header, Word.regions);
  }

  #pagesOf(index: number): ReturnType<typeof userPagesOf> {
    return userPagesOf(this.#core.kernel, this.#processes[index] as number);
  }
}
