import {
  classify,
  type LevelPlan,
  listLeaves,
  optionsOf,
  PageTableReader,
  type PhysicalMemory,
  type Plan,
  pfnOf,
  planOf,
  VmError,
} from '@vmarea/core';
import { type Contents, readAdjacent } from '../containers/contents.js';
import { memoryRuns } from '../containers/memory-runs.js';
import type { Image } from '../image.js';
import { shown } from '../source/broken.js';
import { isSameHalf } from './checks.js';
import { firstLeaves } from './first-leaves.js';
import { machinesOf } from './machines.js';
import type { SharedHalf } from './proposal.js';
import type { RootCandidate } from './root-candidate.js';
import { type Progress, reporter } from './scan.js';

/** The root of a process. */
export interface ProcessRoot {
  /** Physical address of the root table in bytes. */
  readonly root: bigint;
  /** Root of user mode, where the kernel hides itself (PTI); `null` where it does not. */
  readonly userRoot: bigint | null;
  /** Entries of the process's own half. */
  readonly entries: number;
}

/** Options of `findProcesses`. */
export interface ProcessesOptions {
  /** Told how far the scan is. */
  readonly progress?: Progress;
}

const NAMES = ['progress'] as const;

/**
 * Finds the roots of all processes, by the kernel's half that they share: a frame whose kernel half is that of the kernel's root, and
 * whose other half has entries. No symbols are needed. It reads all memory once.
 *
 * A process that has exited may leave its root in free memory until somebody uses the page.
 *
 * @param kernel - a candidate of `findRoots` that has the kernel's half: of role `kernel`, or `process`, which is then one of the roots.
 * @returns the roots, ascending. `null` where the architecture's processes have no kernel half: arm64.
 * @throws VmError `EINVAL` for a candidate without tables, and for one of role `user`, which has little of the kernel's half.
 * @example
 * ```ts
 * const { best } = findRoots(image, { formats });
 * if (best !== null) for (const { root } of findProcesses(image, best) ?? []) console.log(hex(root));
 * ```
 */
export function findProcesses(
  image: Image,
  kernel: RootCandidate,
  options?: ProcessesOptions,
): ProcessRoot[] | null {
  const { progress } = optionsOf(options, NAMES, 'findProcesses()') as ProcessesOptions;
  const table = kernel?.table;
  if (table === null || table === undefined)
    throw new VmError(
      'EINVAL',
      `the candidate is ${shown(kernel)} without tables: expected one that could be opened`,
    );
  const half = machinesOf(kernel.machine, [], null)[0]?.sharedHalf ?? null;
  if (half === null) return null;
  if (kernel.role === 'user')
    throw new VmError('EINVAL', 'the candidate is a root of user mode, which has little of the kernel', {
      address: kernel.root,
      advice:
        'pass one of role kernel or process: the text of VMCOREINFO, or a scan, finds that of the kernel',
    });
  const search = new ProcessSearch(image, planOf(table.format), half, kernel);
  return search.run(reporter(progress));
}

class ProcessSearch {
  readonly #contents: Contents;
  readonly #memory: PhysicalMemory;
  readonly #plan: Plan;
  readonly #half: SharedHalf;
  /** The root that is compared with. */
  readonly #like: number;
  /** It is the kernel's own, and so none of a process. */
  readonly #isKernel: boolean;
  readonly #size: number;
  readonly #entries: number;
  /** Entries of the process's half. */
  readonly #own: number;
  /** The kernel's half, without the bits that processors change. */
  readonly #words: Int32Array;
  /** 1 for each slot of the kernel's half that processes have for themselves. */
  readonly #free: Uint8Array;
  /** Entries of the kernel's half that a process must have: half of those that the kernel has. */
  readonly #least: number;

  constructor({ contents, memory }: Image, plan: Plan, half: SharedHalf, like: RootCandidate) {
    const { entries, shift } = plan.levels[0] as LevelPlan;
    this.#contents = contents;
    this.#memory = memory;
    this.#plan = plan;
    this.#half = half;
    this.#like = Number(like.root);
    this.#isKernel = like.role === 'kernel';
    this.#size = 2 ** plan.pageShift;
    this.#entries = entries;
    this.#own = entries / half.userShare;
    this.#words = new Int32Array(this.#frame(this.#like) ?? new ArrayBuffer(this.#size));
    this.#free = new Uint8Array(entries);
    for (const va of half.own) this.#free[Number((va >> BigInt(shift)) & BigInt(entries - 1))] = 1;
    let used = 0;
    for (let slot = this.#own; slot < entries; slot++) {
      this.#words[2 * slot] = (this.#words[2 * slot] as number) & ~half.changing;
      if (((this.#words[2 * slot] as number) | (this.#words[2 * slot + 1] as number)) !== 0) used++;
    }
    this.#least = Math.max(1, used / 2);
  }

  run(progress: ((address: number, end: number) => void) | undefined): ProcessRoot[] {
    const found: ProcessRoot[] = [];
    for (const { address, bytes } of memoryRuns(this.#contents, this.#size, progress)) {
      const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
      for (let at = 0; at < bytes.length; at += this.#size) {
        if (this.#isKernel && address + at === this.#like) continue;
        if (!this.#hasKernelHalf(words, at / 4)) continue;
        const entries = this.#used(words, at / 4);
        const root = address + at;
        if (entries === 0 || !this.#mapsForUser(BigInt(root))) continue;
        found.push({
          root: BigInt(root),
          userRoot: this.#userRoot(words.slice(at / 4, at / 4 + 2 * this.#own), root),
          entries,
        });
      }
    }
    return found;
  }

  /**
   * Entries that a process lacks are filled in when it faults on them. The root that is compared with may itself be of a process that lacks some, so
   * others may have tables there. What both have must be the kernel's.
   */
  #hasKernelHalf(words: Int32Array, at: number): boolean {
    const { changing } = this.#half;
    let same = 0;
    let more = 0;
    for (let slot = this.#entries - 1; slot >= this.#own; slot--) {
      const lo = (words[at + 2 * slot] as number) & ~changing;
      const hi = words[at + 2 * slot + 1] as number;
      const likeLo = this.#words[2 * slot] as number;
      const likeHi = this.#words[2 * slot + 1] as number;
      if (((lo ^ likeLo) | (hi ^ likeHi)) === 0) {
        if ((lo | hi) !== 0) same++;
      } else if ((lo | hi) !== 0 && this.#free[slot] === 0) {
        if ((likeLo | likeHi) !== 0 || !this.#isTable(lo, hi)) return false;
        more++;
      }
    }
    return same >= this.#least && more <= same;
  }

  /** True for an entry of the root that points to a table in memory. */
  #isTable(lo: number, hi: number): boolean {
    const { format, levels, address, pageShift } = this.#plan;
    const { level } = levels[0] as LevelPlan;
    if (classify(format.present, level, { lo, hi }) !== 'table') return false;
    return pfnOf(address, lo, hi) * 2 ** pageShift < this.#contents.end;
  }

  #used(words: Int32Array, at: number): number {
    let used = 0;
    for (let i = at; i < at + 2 * this.#own; i += 2)
      if (((words[i] as number) | (words[i + 1] as number)) !== 0) used++;
    return used;
  }

  /** The frame behind, when its half of the process differs in nothing but what PTI changes. */
  #userRoot(own: Int32Array, root: number): bigint | null {
    const { userRootAt } = this.#half;
    if (userRootAt === null || root % (2 * userRootAt) !== 0) return null;
    const frame = this.#frame(root + userRootAt);
    if (frame === null || !isSameHalf(own, 0, new Int32Array(frame), 0, this.#own, this.#half)) return null;
    return BigInt(root + userRootAt);
  }

  /**
   * True when it maps a page for user mode, or when the dump lacks the tables that would say it. The kernel has roots of its own that
   * map none, to patch text and to start processors.
   */
  #mapsForUser(root: bigint): boolean {
    const table = new PageTableReader({ format: this.#plan.format, memory: this.#memory, root });
    const leaves = firstLeaves(this.#plan, this.#memory, root, this.#own);
    if (leaves.length === 0) return this.#lacksTables(table);
    return leaves.some(({ va }) => {
      const user = table.walk(va).permissions?.user;
      return user !== undefined && (user.read || user.write || user.execute);
    });
  }

  /** True when the first that its half has is a table which the dump lacks. */
  #lacksTables(table: PageTableReader): boolean {
    const { shift } = this.#plan.levels[0] as LevelPlan;
    const own = { va: 0n, bytes: BigInt(this.#own) << BigInt(shift) };
    for (const { kind } of listLeaves(table, own)) if (kind !== 'again') return kind === 'missing';
    return false;
  }

  #frame(address: number): ArrayBuffer | null {
    const frame = new Uint8Array(this.#size);
    return readAdjacent(this.#contents, address, frame) === this.#size ? frame.buffer : null;
  }
}
