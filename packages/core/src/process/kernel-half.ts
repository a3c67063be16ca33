import { VmError } from '../errors.js';
import type { LinuxPolicy, LinuxUser } from '../format/linux-policy.js';
import type { PageTableFormat } from '../format/page-table-format.js';
import type { LevelPlan } from '../format/plan.js';
import { type Bank, loopsOf } from '../memory/bank.js';
import { kernelBehind } from '../space/faces.js';
import { zeroFrame } from '../space/frame-bytes.js';
import type { KernelUsers, Space } from '../space/space.js';
import { prepareLevel } from '../table/change/map/prepare.js';
import { splitLeaves } from '../table/change/resize/split.js';
import { isTranslated, type Span, spansOf } from '../table/page-range.js';
import type { TableContext } from '../table/state/context.js';
import { highAt, lowAt } from '../table/state/entries.js';
import { contextBehind, contextOf } from '../table/state/registry.js';
import { bankOfTable } from '../table/state/table-banks.js';
import { PageReferences } from './page-references.js';
import { freeAsid, type KernelUser, LocalList, type ProcessList, processLists } from './process-list.js';

/**
 * What the processes of one kernel share: the kernel's half of their roots, the zero page, the references of pages.
 *
 * Where a root translates both halves, each process has copies of the kernel's root entries. The tables below them are
 * the same. So the kernel makes the tables that its root points to in advance (Linux: preallocate_vmalloc_pages on
 * x86-64, preallocate_pgd_pages_range on riscv64), and its root changes no more. Leaves in the root would
 * change, so they are split, and the kernel makes none while it has processes.
 */
export class KernelHalf implements KernelUsers {
  readonly space: Space;
  readonly user: LinuxUser;
  /** Bit of entries whose frame nobody counts; 0n for none. */
  readonly specialBit: bigint;
  /** References of the pages that the kernel's own allocator gives. */
  readonly references: PageReferences;
  /** The processes. */
  readonly list: ProcessList;

  constructor(space: Space, linux: LinuxPolicy, user: LinuxUser) {
    this.space = space;
    this.user = user;
    this.specialBit = linux.specialBit ?? 0n;
    this.references = PageReferences.of(space.machine.ram);
    let list = processLists.get(space);
    if (list === undefined) {
      list = new LocalList();
      processLists.set(space, list);
    }
    this.list = list;
  }

  /**
   * That of a kernel.
   *
   * @throws VmError `EINVAL` for what is no live AddressSpace, or one whose policy has no `user`.
   */
  static of(kernel: unknown): KernelHalf {
    const { space, linux } = kernelBehind(kernel);
    space.lock.requireIdle();
    if (linux.user === undefined)
      throw new VmError('EINVAL', `the policy \`${linux.name}\` says nothing of processes`, {
        advice: 'give it a member `user`, a LinuxUser',
      });
    return halfOver(space, linux, linux.user);
  }

  /** The frame that all anonymous pages map until they are written; -1 for none. */
  get zeroFrame(): number {
    const { zero } = this.list;
    return zero < 0 ? -1 : this.space.machine.ram.first + zero;
  }

  /**
   * True when roots of a format have a kernel half.
   *
   * @throws VmError `EINVAL` when the format is neither the kernel's nor one of other addresses.
   */
  isSharedBy(format: PageTableFormat): boolean {
    const { space, user } = this;
    if (format.pageShift !== space.pageShift)
      throw new VmError('EINVAL', 'the user format has pages of another size than the kernel');
    const kernelSpans = spansOf(space.format);
    const [lowest] = spansOf(format) as [Span];
    if (lowest.start !== 0n || user.taskSize > lowest.end)
      throw new VmError(
        'EINVAL',
        `${format.name} does not translate user addresses up to 0x${user.taskSize.toString(16)}`,
        {
          advice: 'pass userFormat, as the configuration of the format package has it',
        },
      );
    if (!user.formats.includes(format.name))
      throw new VmError('EINVAL', `the policy of the kernel is not for processes of ${format.name}`, {
        advice: `use ${user.formats.join(' or ')}`,
      });
    const isShared = kernelSpans.some(({ start }) => isTranslated(format, start) && start !== 0n);
    if (isShared && format !== space.format)
      throw new VmError(
        'EINVAL',
        `roots of ${format.name} hold the kernel's half, which has the format ${space.format.name}`,
        {
          advice: 'leave out userFormat',
        },
      );
    return isShared;
  }

  /** The lowest asid from 1 on that no process has. */
  freeAsid(): number {
    return freeAsid(this.list);
  }

  /** @throws VmError `EINVAL` when another process has the asid. */
  requireFree(asid: number): void {
    if (this.list.hasAsid(asid))
      throw new VmError('EINVAL', `asid ${asid} belongs to another process of the kernel`);
  }

  /**
   * Makes everything ready for a process: the kernel's upper tables and the zero page.
   *
   * @throws VmError `ENOMEM`; what the kernel's sink throws when a leaf is split. Nothing is then lost.
   */
  prepare(isShared: boolean, window: Span): void {
    const { space } = this;
    if (isShared && !this.#isPrepared()) {
      space.lock.change(() => {
        const { levels } = contextBehind(space.table).plan;
        const below = levels[1] as LevelPlan;
        const upper = spansOf(space.format).at(-1) as Span;
        if ((levels[0] as LevelPlan).level.leaf !== null)
          splitLeaves(space.table, upper.start, upper.end - upper.start, { leafShift: below.shift });
        prepareLevel(space.table, window.start, wholePages(space, window), below.shift);
        space.leafLimit = (levels[0] as LevelPlan).shift;
      });
    }
    space.users = this;
    if (this.list.zero >= 0) return;
    const { ram } = space.machine;
    const pfn = ram.allocate();
    zeroFrame(space, pfn);
    // Its own reference tells a recovery that it is in use.
    this.list.zero = pfn - ram.first;
    this.references.start(pfn, false);
  }

  /** True when the kernel's upper tables are made, and its root has no leaves. Other threads may have made and removed processes. */
  #isPrepared(): boolean {
    return this.list.threads === null ? this.space.users !== null : this.list.count > 0;
  }

  /** Copies the kernel's entries into the root of a process, and knows the process from now on. */
  add(process: KernelUser): void {
    this.list.add(process);
    if (process.hasKernelHalf) this.#copyRoot(contextOf(process.table).root.pfn);
  }

  /** The process is gone. */
  remove(process: KernelUser): void {
    this.list.locked(() => {
      this.list.remove(process);
      this.settle();
    });
  }

  /** Leaves the kernel as it was without processes, when there is none. */
  settle(): void {
    const { space, list, zeroFrame: zero } = this;
    if (list.count > 0) return;
    if (list.threads === null) {
      space.users = null;
      space.leafLimit = NO_LIMIT;
    }
    if (zero < 0) return;
    // A thread that dies in between leaves a number, and a recovery knows what it names.
    this.references.put(zero);
    list.zero = -1;
  }

  reach(address: bigint, bytes: bigint): void {
    const { space, list } = this;
    if (space.leafLimit === NO_LIMIT && list.threads === null) return;
    list.locked(() => {
      const { levels } = contextBehind(space.table).plan;
      const made = prepareLevel(space.table, address, bytes, (levels[1] as LevelPlan).shift);
      // Of several threads, one may have died between its tables and the copies.
      if (made > 0 || list.threads !== null) this.copyRoots();
    });
  }

  requireNone(): void {
    if (this.list.count > 0)
      throw new VmError('EBUSY', `the kernel has ${this.list.count} processes`, {
        advice: 'destroy them first',
      });
  }

  /** Copies the upper half of the kernel's root into that of each process. */
  copyRoots(): void {
    this.list.eachRoot((pfn) => this.#copyRoot(pfn));
  }

  #copyRoot(pfn: number): void {
    const from = contextOf(this.space.table);
    const { plan, records } = from;
    const bank = bankOfTable(from, pfn, 0);
    const word = bank.wordOf(pfn, plan.pageShift);
    const { entries } = plan.levels[0] as LevelPlan;
    let live = 0;
    for (let slot = entries / 2; slot < entries; slot++) live += copyEntry(from, bank, word, slot);
    records?.add(records.find(pfn), live);
  }
}

/** Space.leafLimit without processes. */
const NO_LIMIT = 64;

const halves: WeakMap<Space, KernelHalf> = new WeakMap();

/** That of a space. Outside of the class: bundlers rename one that names itself. */
export function halfOver(space: Space, linux: LinuxPolicy, user: LinuxUser): KernelHalf {
  let half = halves.get(space);
  if (half === undefined) {
    half = new KernelHalf(space, linux, user);
    halves.set(space, half);
  }
  return half;
}

/** Copies an entry of the kernel's root into another one. @returns 1 when it is new there, -1 when it went. */
function copyEntry({ root }: TableContext, bank: Bank, word: number, slot: number): number {
  const source = root.word + 2 * slot;
  const target = word + 2 * slot;
  const lo = lowAt(root.bank, root.bank.words, source);
  const hi = highAt(root.bank, root.bank.words, source);
  const was = (lowAt(bank, bank.words, target) | highAt(bank, bank.words, target)) === 0 ? 0 : 1;
  loopsOf(bank).store64(target, lo, hi);
  return ((lo | hi) === 0 ? 0 : 1) - was;
}

/** Bytes of whole pages: the window of x86-64 ends a byte before a page. */
function wholePages(space: Space, { start, end }: Span): bigint {
  return space.wholePages(end - start);
}
