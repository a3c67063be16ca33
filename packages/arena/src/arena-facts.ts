import { type AddressSpace, checkAddress, hex, VmError } from '@vmarea/core';
import { requireWhole } from './arguments.js';
import { ArenaAccesses } from './data/accesses.js';
import type { ArenaCore } from './kernel/core.js';
import type { ArenaFailure } from './kernel/failure.js';
import { castForKernel, castToUser, lowOf } from './kernel/pointers.js';
import type { ArenaRelease } from './kernel/releases.js';

/** What an arena says of itself, and of its pointers. */
export abstract class ArenaFacts extends ArenaAccesses {
  readonly #core: ArenaCore;
  readonly #release: ArenaRelease;

  /** @internal */
  constructor(core: ArenaCore, release: ArenaRelease) {
    super();
    this.#core = core;
    this.#release = release;
  }

  /** Where it is, and how much of it is used. */
  override toString(): string {
    const core = this.#core;
    const user = core.userPages === 0 ? 'no user address yet' : `users see it at ${hex(core.userStart)}`;
    return [
      `Arena of ${core.maxEntries} pages, as Linux ${this.#release}${core.isDestroyed ? ', destroyed' : ''}`,
      `  window at ${hex(core.window.start)}; ${user}; ${core.mapped} pages are mapped`,
    ].join('\n');
  }

  /** The kernel's address space that it is in. */
  get kernel(): AddressSpace {
    return this.#core.kernel;
  }

  /** Pages of the arena. */
  get maxEntries(): number {
    return this.#core.maxEntries;
  }

  /** BPF_F_ flags. */
  get flags(): number {
    return this.#core.flags;
  }

  /** Which kernel it follows. */
  get release(): ArenaRelease {
    return this.#release;
  }

  /** False once it was destroyed. */
  get isLive(): boolean {
    return !this.#core.isDestroyed;
  }

  /** Kernel address of the low half 0 (bpf_arena_get_kern_vm_start): below it is the lower guard. */
  get kernVmStart(): bigint {
    return this.#core.window.start;
  }

  /** First user address (bpf_arena_get_user_vm_start); 0n before the first mmap of an arena without `mapExtra`. */
  get userVmStart(): bigint {
    return this.#core.userStart;
  }

  /** The user address after the last one; 0n while `userVmStart` is. */
  get userVmEnd(): bigint {
    const { userStart, userPages, geometry } = this.#core;
    return userStart + BigInt(userPages * geometry.pageBytes);
  }

  /** Why the last call that returned `null` or `dropped` did so; `null` after every other call. */
  get lastFailure(): ArenaFailure | null {
    return this.#core.lastFailure;
  }

  /** Frees that wait for `runWorker`. */
  get pendingSpans(): number {
    return this.#core.spans.length + this.#core.unfinished.length;
  }

  /** Bytes of the pages that the arena has (map_mem_usage); 0n in a release that does not count them, and once it was destroyed. */
  memUsage(): bigint {
    const { rules, mapped, geometry } = this.#core;
    return rules.countsPages ? BigInt(mapped * geometry.pageBytes) : 0n;
  }

  /**
   * The address that a load instruction gets for a byte of the arena (map_direct_value_addr).
   *
   * @param offset - from the first byte, 0 to 2^32 - 1.
   * @throws VmError `ERANGE` beyond the arena, which has no bytes before its user address is known.
   */
  directValueAddress(offset: number): bigint {
    requireWhole(offset, 'offset', 0, 2 ** 32 - 1);
    const { userPages, geometry, rules, userStart } = this.#core;
    const bytes = userPages * geometry.pageBytes;
    if (offset > bytes || (offset === bytes && !rules.directValueAtEnd))
      throw new VmError('ERANGE', `offset ${offset} is not in the arena of ${bytes} bytes`);
    return userStart + BigInt(offset);
  }

  /** The low 32 bits of a pointer: what a program uses in accesses (the cast from address space 1 to 0). */
  castToKernel(address: bigint): bigint {
    checkAddress(address);
    return BigInt(lowOf(address));
  }

  /**
   * The user address of a pointer; 0n when its low half is 0 (the cast from address space 0 to 1). With BPF_F_NO_USER_CONV, only
   * the low half.
   */
  castToUser(address: bigint): bigint {
    checkAddress(address);
    return castToUser(this.#core, address);
  }

  /**
   * The kernel address that a function of the kernel gets for an argument that is an arena pointer.
   *
   * @param isNullable - true for an argument that may be NULL: a low half of 0 gives 0n, whatever is above it. Default: false.
   */
  castForKernel(address: bigint, isNullable: boolean = false): bigint {
    checkAddress(address);
    return castForKernel(this.#core, address, isNullable);
  }
}
