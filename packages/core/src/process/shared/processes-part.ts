import { takePages } from '../../table/change/remove/take.js';
import { contextBehind } from '../../table/state/registry.js';
import type { RobustLock } from '../../threads/robust-lock.js';
import type { SharedPart } from '../../threads/thread-calls.js';
import { words } from '../../words.js';
import type { KernelHalf } from '../kernel-half.js';
import { mappingsIn } from '../user-pages.js';
import { EntryState } from './layout.js';
import { outsideOf, restrict } from './mend-pages.js';
import type { SharedList } from './shared-list.js';

/** The processes of a kernel, as a recovery and `check` see them. */
export class ProcessesPart implements SharedPart {
  readonly name = 'the processes of the kernel';
  readonly rank = 0;
  readonly number: number;
  isPartial = false;
  readonly #half: KernelHalf;
  readonly #list: SharedList;

  constructor(half: KernelHalf, list: SharedList) {
    this.#half = half;
    this.#list = list;
    this.number = contextBehind(half.space.table).root.pfn;
  }

  /** A process in the making has none: nobody but its thread can find it, which has the lock of its parent, or of the list. */
  get locks(): readonly RobustLock[] {
    const locks: RobustLock[] = [];
    this.#list.each((asid) => {
      if (this.#list.stateOf(asid) !== EntryState.making) locks.push(this.#list.lockOf(asid));
    });
    return locks;
  }

  /** An area outside of the vmalloc window is made known to all processes under the lock of the areas. */
  get inner(): readonly RobustLock[] {
    return [this.#list.lock];
  }

  get isBusy(): boolean {
    return this.#list.calls > 0 || this.#list.lock.isMine;
  }

  mend(dead: readonly number[], isDead: (id: number) => boolean): readonly string[] {
    const list = this.#list;
    const told: string[] = [];
    this.isPartial = false;
    for (const asid of asidsOf(list)) {
      const state = list.stateOf(asid);
      const isLost = state !== EntryState.shared && isDead(list.creatorOf(asid));
      // Its thread died in `destroy`, after the pages and the regions had gone.
      const isGoing =
        state === EntryState.shared && (list.numberOf(asid) === 0 || list.processAt(asid)?.isGone === true);
      if (isGoing) list.removeAt(asid);
      else if (isLost) {
        this.#reap(asid);
        told.push(`the process with asid ${asid} went with its thread`);
      } else if (!this.#isHeld(asid)) {
        this.isPartial = true;
      } else told.push(...this.#mendProcess(asid));
    }
    list.sweep();
    list.recount();
    list.freeLocks();
    this.#mendZero();
    told.push(...this.#finishFrees(dead));
    if (!this.isPartial) told.push(...this.#recount());
    this.#half.copyRoots();
    return told;
  }

  mendRest(): readonly string[] {
    const list = this.#list;
    list.sweep();
    this.isPartial = asidsOf(list).some((asid) => !this.#isHeld(asid));
    return this.isPartial ? [] : this.#recount();
  }

  check(): readonly string[] {
    const list = this.#list;
    const found: string[] = [];
    const asids = asidsOf(list);
    if (asids.length !== list.count) found.push(`${asids.length} processes, but ${list.count} are counted`);
    if (list.zero >= 0 !== asids.length > 0)
      found.push('the zero page is there without processes, or is not');
    for (const asid of asids) {
      const process = list.processAt(asid);
      process?.look();
      if (process !== null)
        for (const page of outsideOf(process.space))
          found.push(`asid ${asid}: page ${page} is outside of all regions`);
    }
    const { references } = this.#half;
    const leaves = mappingsIn(this.#half);
    for (const [pfn, users] of leaves)
      if (references.count(pfn) < users)
        found.push(
          `frame 0x${pfn.toString(16)} is mapped ${users} times, and has ${references.count(pfn)} references`,
        );
    references.eachAnonymous((pfn) => {
      const users = leaves.get(pfn) ?? 0;
      if (references.count(pfn) > users)
        found.push(
          `frame 0x${pfn.toString(16)} has ${references.count(pfn)} references, and is mapped ${users} times`,
        );
    });
    return found;
  }

  /** False for a process made since this thread took the locks: its thread may have a frame that no table has. */
  #isHeld(asid: number): boolean {
    return this.#list.stateOf(asid) !== EntryState.making && this.#list.lockOf(asid).isMine;
  }

  /** Ends a process that nobody has. */
  #reap(asid: number): void {
    const { references, user, space, specialBit } = this.#half;
    const table = this.#list.tableAt(asid);
    const context = contextBehind(table);
    // Its thread died in `destroy`, after the tables had gone.
    if (context.records?.isOwn(context.records.find(context.root.pfn), context.owner, 0) !== true) {
      this.#list.removeAt(asid);
      return;
    }
    const pages = Number(user.taskSize >> BigInt(space.pageShift));
    const { frames } = takePages(table, [{ first: 0, pages }], false, words(specialBit));
    for (const pfn of frames)
      if (pfn !== this.#half.zeroFrame && references.count(pfn) > 0) references.put(pfn);
    context.isSharedOut = false;
    table.destroy();
    this.#list.removeAt(asid);
  }

  /** Takes out what a call has left that is in no region, and rights that a region does not have. */
  #mendProcess(asid: number): string[] {
    const process = this.#list.processAt(asid);
    if (process === null || process.isGone) return [];
    process.look();
    const { space } = process;
    const outside = outsideOf(space);
    if (outside.length > 0) {
      const ranges = outside.map((first) => ({ first, pages: 1 }));
      const { frames } = takePages(space.table, ranges, false, words(this.#half.specialBit));
      const { references, zeroFrame } = this.#half;
      for (const pfn of frames) if (pfn !== zeroFrame && references.count(pfn) > 0) references.put(pfn);
    }
    restrict(space);
    return outside.length === 0
      ? []
      : [`asid ${asid}: ${outside.length} pages outside of regions are unmapped`];
  }

  #finishFrees(dead: readonly number[]): string[] {
    const done = this.#half.references.finishFrees((slot) => dead.includes(slot));
    return done === 0 ? [] : [`${done} anonymous pages without users are freed`];
  }

  /** Anonymous pages belong to processes alone, so the tables say how many users they have. */
  #recount(): string[] {
    const { references } = this.#half;
    const leaves = mappingsIn(this.#half);
    let wrong = 0;
    const anonymous: number[] = [];
    references.eachAnonymous((pfn) => anonymous.push(pfn));
    for (const pfn of anonymous) if (references.settle(pfn, leaves.get(pfn) ?? 0)) wrong++;
    return wrong === 0 ? [] : [`the references of ${wrong} anonymous pages are counted again`];
  }

  /** The zero page is there as long as there are processes. */
  #mendZero(): void {
    const { references, zeroFrame } = this.#half;
    if (zeroFrame >= 0 && references.count(zeroFrame) === 0) references.start(zeroFrame, false);
    this.#half.settle();
  }
}

function asidsOf(list: SharedList): number[] {
  const asids: number[] = [];
  list.each((asid) => asids.push(asid));
  return asids;
}
