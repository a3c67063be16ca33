import { VmError } from '../errors.js';
import type { LinuxUser } from '../format/linux-policy.js';
import type { PageTableFormat } from '../format/page-table-format.js';
import type { LevelPlan } from '../format/plan.js';
import { type KernelBehind, kernelBehind } from '../space/faces.js';
import type { KernelUsers, Space } from '../space/space.js';
import { prepareLevel } from '../table/change/map/prepare.js';
import { splitLeaves } from '../table/change/resize/split.js';
import { isTranslated, type Span, spansOf } from '../table/page-range.js';
import type { PageTable } from '../table/page-table.js';
import type { TableContext } from '../table/state/context.js';
import { highAt, lowAt } from '../table/state/entries.js';
import { contextBehind, contextOf } from '../table/state/registry.js';
import { PageReferences } from './page-references.js';

/** A process, as its kernel knows it. */
export interface KernelUser {
  readonly asid: number;
  readonly table: PageTable;
}

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
  /** Families of anonymous pages so far. */
  families = 0;
  /** Inode numbers of anonymous shared memory so far. */
  inodes = 0;
  readonly #processes: Set<KernelUser> = new Set();
  #zeroFrame = -1;

  private constructor({ space, linux }: KernelBehind, user: LinuxUser) {
    this.space = space;
    this.user = user;
    this.specialBit = linux.specialBit ?? 0n;
    this.references = PageReferences.of(space.machine.ram);
  }

  /**
   * That of a kernel.
   *
   * @throws VmError `EINVAL` for what is no live AddressSpace of one thread, or one whose policy has no `user`.
   */
  static of(kernel: unknown): KernelHalf {
    const behind = kernelBehind(kernel);
    const { space, linux, isShared } = behind;
    space.lock.requireIdle();
    if (isShared)
      throw new VmError('EINVAL', 'the kernel is used by several threads, and its processes by one', {
        advice: 'make it without threads',
      });
    if (linux.user === undefined)
      throw new VmError('EINVAL', `the policy \`${linux.name}\` says nothing of processes`, {
        advice: 'give it a member `user`, a LinuxUser',
      });
    let half = halves.get(space);
    if (half === undefined) {
      half = new this(behind, linux.user);
      halves.set(space, half);
    }
    return half;
  }

  /** The frame that all anonymous pages map until they are written. */
  get zeroFrame(): number {
    return this.#zeroFrame;
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
    const taken = new Set([...this.#processes].map(({ asid }) => asid));
    for (let asid = 1; asid < 65536; asid++) if (!taken.has(asid)) return asid;
    throw new VmError('ENOMEM', 'all 65535 asids are in use', { advice: 'destroy a process' });
  }

  /** @throws VmError `EINVAL` when another process has the asid. */
  requireFree(asid: number): void {
    for (const one of this.#processes)
      if (one.asid === asid)
        throw new VmError('EINVAL', `asid ${asid} belongs to another process of the kernel`);
  }

  /**
   * Makes everything ready for a process: the kernel's upper tables and the zero page.
   *
   * @throws VmError `ENOMEM`; what the kernel's sink throws when a leaf is split. Nothing is then lost.
   */
  prepare(isShared: boolean, window: Span): void {
    const { space } = this;
    if (isShared && space.users === null) {
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
    if (this.#zeroFrame >= 0) return;
    const { ram } = space.machine;
    this.#zeroFrame = ram.allocate();
    erase(space, this.#zeroFrame);
  }

  /** Copies the kernel's entries into the root of a process, and knows the process from now on. */
  add(process: KernelUser, isShared: boolean): void {
    if (isShared) this.#copyRoot(process.table);
    this.#processes.add(process);
  }

  /** The process is gone. */
  remove(process: KernelUser): void {
    this.#processes.delete(process);
    this.settle();
  }

  /** Leaves the kernel as it was without processes, when there is none. */
  settle(): void {
    if (this.#processes.size > 0) return;
    this.space.users = null;
    this.space.leafLimit = NO_LIMIT;
    if (this.#zeroFrame >= 0) this.space.machine.ram.free(this.#zeroFrame);
    this.#zeroFrame = -1;
  }

  reach(address: bigint, bytes: bigint): void {
    if (this.space.leafLimit === NO_LIMIT) return;
    const { levels } = contextBehind(this.space.table).plan;
    const made = prepareLevel(this.space.table, address, bytes, (levels[1] as LevelPlan).shift);
    if (made > 0) for (const { table } of this.#processes) this.#copyRoot(table);
  }

  requireNone(): void {
    if (this.#processes.size > 0)
      throw new VmError('EBUSY', `the kernel has ${this.#processes.size} processes`, {
        advice: 'destroy them first',
      });
  }

  /** Copies the upper half of the root. */
  #copyRoot(table: PageTable): void {
    const from = contextOf(this.space.table);
    const to = contextOf(table);
    const { entries } = from.plan.levels[0] as LevelPlan;
    const half = entries / 2;
    let live = 0;
    for (let slot = half; slot < entries; slot++) live += copyEntry(from, to, slot);
    to.records?.add(to.records.find(to.root.pfn), live);
  }
}

/** Space.leafLimit without processes. */
const NO_LIMIT = 64;

const halves: WeakMap<Space, KernelHalf> = new WeakMap();

/** Copies an entry of a root. @returns 1 when it is new there. */
function copyEntry(from: TableContext, to: TableContext, slot: number): number {
  const source = from.root.word + 2 * slot;
  const target = to.root.word + 2 * slot;
  const lo = lowAt(from.root.bank, from.root.bank.words, source);
  const hi = highAt(from.root.bank, from.root.bank.words, source);
  const { words } = to.root.bank;
  const isNew = ((words[target] as number) | (words[target + 1] as number)) === 0 && (lo | hi) !== 0 ? 1 : 0;
  words[target] = lo;
  words[target + 1] = hi;
  return isNew;
}

/** Bytes of whole pages: the window of x86-64 ends a byte before a page. */
function wholePages(space: Space, { start, end }: Span): bigint {
  return space.wholePages(end - start);
}

/** Fills a frame with zeros, when it has bytes. */
export function erase({ memory, pageShift, pageBytes }: Space, pfn: number): void {
  if (memory.locate(pfn, pageShift) !== null)
    memory.bytesAt(BigInt(pfn) << BigInt(pageShift), pageBytes).fill(0);
}
