import { checkAddress } from '../check/address.js';
import { completeControls } from '../check/controls.js';
import { hex } from '../errors.js';
import { type Access, type Controls, checkAccess } from '../format/access.js';
import type { PageTableFormat } from '../format/page-table-format.js';
import { printsItself } from '../prints.js';
import { words } from '../words.js';
import type { TableContext } from './state/context.js';
import { type Counters, liveCounters, newCounters } from './state/counters.js';
import { register, requireLive } from './state/registry.js';
import { type LeavesOptions, leavesOf } from './walk/leaf-list.js';
import type { LeafItem, LeafRun } from './walk/leaves.js';
import type { Translator } from './walk/translator.js';
import { rootAddress, type Walk, walkAddress } from './walk/walk.js';

/**
 * What both faces can read: `PageTableReader` and `PageTable`.
 *
 * Addresses are unsigned 64-bit bigints as the processor holds them (kernel addresses start with 0xffff…).
 * Nothing here changes an entry. What a bundle may leave out is a function over a table: `translateMany`,
 * `translationCursor`, `dumpTables`, `diffTables`.
 */
export abstract class ReadableTable<C extends Controls = Controls> {
  /** The format of the tables. */
  readonly format: PageTableFormat<C>;
  readonly #context: TableContext;
  readonly #translator: Translator;
  #counters: Readonly<Counters> | null = null;

  /** Only the two faces make one. */
  protected constructor(context: TableContext, translator: Translator) {
    this.format = context.plan.format as unknown as PageTableFormat<C>;
    this.#context = context;
    this.#translator = translator;
    register(this, context, translator);
    printsItself(new.target.prototype);
  }

  /** Physical address of the root table in bytes: what goes into CR3, TTBR or satp. */
  get root(): bigint {
    return rootAddress(this.#context);
  }

  /** Exact work of the calls so far. The object is live. */
  get counters(): Readonly<Counters> {
    this.#counters ??= liveCounters(() => this.#context.counters);
    return this.#counters;
  }

  /** What the table is, and the work of its calls so far. */
  toString(): string {
    const { tablesRead, entriesWritten, tablesAllocated, tablesFreed, flushes } = this.counters;
    return [
      `${this.constructor.name} ${this.format.name}, root ${hex(this.root)}`,
      `  ${tablesRead} tables read, ${entriesWritten} entries written, ${tablesAllocated - tablesFreed} tables made, ${flushes} flushes`,
    ].join('\n');
  }

  /** Sets all counters to 0. */
  resetCounters(): void {
    Object.assign(this.#context.counters, newCounters());
  }

  /**
   * Walks one address. The result has every entry on the way, the leaf, the permissions over all levels, and
   * the fault.
   *
   * @param va - any unsigned 64-bit address. One without translation is a fault in the result, not an error.
   * @param access - when given, the fault also says whether this access is refused.
   * @param controls - processor modes that differ from those that the table was opened with.
   * @throws VmError `ERANGE` or `EINVAL` when `va` is not an unsigned 64-bit bigint; `EINVAL` for an invalid
   *   access, and for controls that the format does not know.
   * @example
   * ```ts
   * const { steps, leaf, fault } = table.walk(0xffffc90000001008n, { kind: 'write', user: false });
   * console.log(steps.map((step) => `${step.name} ${hex(step.entry)}`), leaf?.leafShift, fault?.code);
   * ```
   */
  walk(va: bigint, access?: Access, controls?: Partial<C>): Walk {
    const asked = access === undefined ? undefined : checkAccess(access);
    const context = requireLive(this.#context);
    return walkAddress(context, va, asked, completeControls(context.controls, controls, this.format.name));
  }

  /**
   * Translates one address.
   *
   * @returns the physical address in bytes; `null` when there is no translation.
   * @throws VmError `ERANGE` when `va` is not an unsigned 64-bit bigint.
   */
  translate(va: bigint): bigint | null {
    const { plan } = requireLive(this.#context);
    checkAddress(va);
    const { hi, lo } = words(va);
    const pfn = this.#translator.translate(hi, lo);
    if (pfn < 0) return null;
    return (BigInt(pfn) << BigInt(plan.pageShift)) | (va & ((1n << BigInt(plan.pageShift)) - 1n));
  }

  /**
   * Translates one address that comes as two 32-bit words: the fast path, without bigints or allocation.
   *
   * @param vaHi - bits 63..32, signed or unsigned. A number is taken modulo 2^32, as JavaScript's bit
   *   operators do; the hot path has no check.
   * @param vaLo - bits 31..0, likewise.
   * @returns the frame of the address in base pages, also inside a larger leaf; -1 when there is no
   *   translation.
   * @throws VmError `EINVAL` when the table was destroyed.
   * @example
   * ```ts
   * table.translateWords(0xffffc900, 0x00001008); // 0x99
   * ```
   */
  translateWords(vaHi: number, vaLo: number): number {
    if (this.#context.isDestroyed) requireLive(this.#context);
    return this.#translator.translate(vaHi, vaLo);
  }

  /**
   * Lists leaves in address order. Adjacent leaves of one size with equal flags, equal rights and adjacent frames are
   * one run.
   *
   * A leaf that lies only partly in the range is listed whole. Do not change the table while iterating.
   *
   * A table without bytes may map anything: it is an item of kind `missing`, and the list goes on. A table that is met
   * again is listed at each address; tables that point to themselves may so have 2^36 leaves. After 2^21
   * entries that the call reads again, such a table is an item of kind `again`.
   *
   * With `complete: true`, the list has leaves alone, or ends with an error. That is the default of a `PageTable`, since
   * its callers decide by the list what to change.
   *
   * @param va - first address in bytes. Default: everything that the root translates.
   * @param bytes - length in bytes; given exactly when `va` is.
   * @param options - see `LeavesOptions`. `listLeaves` is the same with other defaults.
   * @throws VmError `ERANGE`, `EINVAL` for an invalid range or option. With `complete: true`, while iterating and
   *   after all leaves before it: `EFAULT` when an entry points to a table that has no bytes, `ELOOP` for a table
   *   that would be an item of kind `again`.
   * @example
   * ```ts
   * for (const item of table.leaves()) {
   *   if (item.kind === 'leaves') console.log(hex(item.va), item.count, 2 ** item.leafShift, hex(item.pa));
   *   else console.log(hex(item.va), item.kind, item.bytes);
   * }
   * ```
   */
  leaves(
    va: bigint | undefined,
    bytes: bigint | number | undefined,
    options: LeavesOptions<C> & { readonly complete: true },
  ): IterableIterator<LeafRun>;
  leaves(va?: bigint, bytes?: bigint | number, options?: LeavesOptions<C>): IterableIterator<LeafItem>;
  leaves(va?: bigint, bytes?: bigint | number, options?: LeavesOptions<C>): IterableIterator<LeafItem> {
    return leavesOf(requireLive(this.#context), va, bytes, options as LeavesOptions);
  }
}
