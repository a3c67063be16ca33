import { VmError } from '../errors.js';
import type { Access, Controls } from '../format/access.js';
import type { PageTableFormat } from '../format/page-table-format.js';
import type { Plan } from '../format/plan.js';
import type { Protection } from '../format/protection.js';
import { words } from '../words.js';
import { destroyTables } from './change/destroy.js';
import { type FrameList, linearSource, scatteredSource } from './change/frame-source.js';
import { mapPages } from './change/map.js';
import { unmapPages } from './change/unmap.js';
import { destroyed, readOnly, type TableContext } from './context.js';
import { type Counters, newCounters } from './counters.js';
import { makeContext, type OpenOptions, type PageTableOptions } from './open.js';
import { pageRange, requireAddress } from './page-range.js';
import { type LeafRun, leafRuns } from './read/leaves.js';
import { makeTranslator } from './read/translate.js';
import type { Translator } from './read/translator.js';
import { rootAddress, type Walk, walkAddress } from './read/walk.js';

/** Choices of one mapping call. */
export interface MapOptions {
  /**
   * Cap on the leaf size, log2 bytes. The largest leaf that address, frames and this cap allow is used; it is
   * never an error. Default: no cap.
   */
  readonly maxLeafShift?: number;
}

/** Choices of one unmapping call. */
export interface UnmapOptions {
  /**
   * Also free the tables in the range that are then empty. Default false: tables stay, as in Linux, until `destroy`.
   * Not while other roots link to them: a table goes with its owner's call, whoever else points to it.
   */
  readonly reclaim?: boolean;
}

/**
 * One root and the tables below it: real entries in real memory, in the format's exact bits.
 *
 * Addresses are unsigned 64-bit bigints as the processor holds them (kernel addresses start with 0xffff…). A call
 * that throws leaves entries, allocator and live counts as they were.
 *
 * @example
 * ```ts
 * const memory = PhysicalMemory.create({ bytes: 1 << 20 });
 * const frames = new FrameAllocator(memory);
 * const table = new PageTable({ format: x8664(), memory, frames });
 * table.map(0xffffc90000000000n, [0x1234, 0x99], protection({ write: true, global: true }));
 * table.translate(0xffffc90000001008n); // 0x99008n
 * ```
 */
export class PageTable<C extends Controls = Controls> {
  /** The format of the tables. */
  readonly format: PageTableFormat<C>;
  readonly #context: TableContext;
  readonly #translator: Translator;

  /**
   * Makes an empty root, or opens the one that `root` names.
   *
   * @throws VmError `EINVAL` when format, memory, frames and root do not fit together, `ENOMEM` when there is no
   *   frame for the root, `EFAULT` when the root to be opened has no bytes.
   */
  constructor(options: PageTableOptions<C> | OpenOptions<C>) {
    this.#context = makeContext(options);
    this.format = options.format;
    this.#translator = makeTranslator(this.#context);
  }

  /**
   * Opens tables that exist: in an image, in a guest's memory, or made elsewhere.
   *
   * Without `frames` they are only read. With `frames`, calls may change entries and add tables. Tables that were there
   * before are never freed; added ones belong to the owner of the table above them, when it comes from this allocator.
   *
   * @throws VmError `EFAULT` when the root has no bytes, `EINVAL` when it is not aligned to its size.
   * @example
   * ```ts
   * const table = PageTable.open({ format: x8664(), memory: image, root: 0x144218000n });
   * for (const run of table.leaves()) console.log(hex(run.va), run.count, hex(run.pa));
   * ```
   */
  static open<C extends Controls>(options: OpenOptions<C>): PageTable<C> {
    // A missing root stays missing: the constructor would make a new one.
    return new PageTable({ ...options, root: options?.root });
  }

  /** Physical address of the root table in bytes: what goes into CR3, TTBR or satp. */
  get root(): bigint {
    return rootAddress(this.#context);
  }

  /** Exact work of the calls so far; a live object. */
  get counters(): Readonly<Counters> {
    return this.#context.counters;
  }

  /** Sets all counters to 0. */
  resetCounters(): void {
    Object.assign(this.#context.counters, newCounters());
  }

  /**
   * Maps pages to scattered frames.
   *
   * Every slot must be empty. Runs of adjacent, aligned frames become larger leaves where the address allows it. No
   * flush is needed for a new mapping; one is made where a larger leaf replaces an empty left-over table.
   *
   * @param va - first address in bytes, a multiple of the page size.
   * @param frames - pfns in base pages of the format, one per page; they need no bytes behind them.
   * @param protection - what the pages allow.
   * @throws VmError `EINVAL` misaligned, empty, or a frame that does not fit `paBits`; `ERANGE` outside the addresses
   *   that the format translates; `EBUSY` a slot is occupied; `ENOMEM` no frame for a table; `EPERM` read-only.
   * @example
   * ```ts
   * table.map(0xffffc90000000000n, Uint32Array.of(0x1234, 0x99, 0x7001), PAGE_KERNEL);
   * ```
   */
  map(va: bigint, frames: FrameList, protection: Protection, options: MapOptions = {}): void {
    this.#change((context) => {
      const { plan } = context;
      const range = pageRange(plan.format, va, frameCount(frames) * 2 ** plan.pageShift);
      const source = scatteredSource(frames, plan.pfnLimit);
      mapPages(context, range, source, checkProtection(protection), leafCap(options));
    });
  }

  /**
   * Maps a linear range: page n of the addresses to page n of the physical range.
   *
   * @param va - first address in bytes, a multiple of the page size.
   * @param pa - first physical address in bytes, a multiple of the page size; it needs no bytes behind it.
   * @param bytes - length in bytes, a multiple of the page size.
   * @param protection - what the pages allow.
   * @throws VmError as `map`.
   * @example
   * ```ts
   * table.mapRange(0xffffc90010000000n, 0xb0000000n, 256n << 20n, IOREMAP); // 128 leaves of 2 MiB
   * ```
   */
  mapRange(
    va: bigint,
    pa: bigint,
    bytes: bigint | number,
    protection: Protection,
    options: MapOptions = {},
  ): void {
    this.#change((context) => {
      const { plan } = context;
      const range = pageRange(plan.format, va, bytes);
      const source = linearSource(physicalPage(plan, pa), range.pages, plan.pfnLimit);
      mapPages(context, range, source, checkProtection(protection), leafCap(options));
    });
  }

  /**
   * Removes the mappings of a range; holes are fine. One flush covers what was removed.
   *
   * @param va - first address in bytes, a multiple of the page size.
   * @param bytes - length in bytes, a multiple of the page size.
   * @throws VmError `EINVAL` when an end lies inside a leaf larger than a page; `ERANGE`, `EFAULT`, `EPERM` as `map`.
   */
  unmap(va: bigint, bytes: bigint | number, options: UnmapOptions = {}): void {
    this.#change((context) => {
      unmapPages(context, pageRange(context.plan.format, va, bytes), options?.reclaim ?? false);
    });
  }

  /**
   * Walks one address and reports every entry on the way, the leaf, the permissions over all levels, or the fault.
   *
   * @param va - any unsigned 64-bit address; one without translation is a fault in the result, not an error.
   * @param access - when given, the fault also says whether it is refused.
   * @param controls - processor modes that differ from `format.controls`.
   * @throws VmError `ERANGE` or `EINVAL` when `va` is not an unsigned 64-bit bigint; `EINVAL` when `access` is none.
   */
  walk(va: bigint, access?: Access, controls?: Partial<C>): Walk {
    if (access !== undefined) checkAccess(access);
    return walkAddress(this.#live(), va, access, { ...this.format.controls, ...controls });
  }

  /**
   * Translates one address.
   *
   * @returns the physical address in bytes; `null` when there is no translation.
   * @throws VmError `ERANGE` when `va` is not an unsigned 64-bit bigint.
   */
  translate(va: bigint): bigint | null {
    const { plan } = this.#live();
    requireAddress(va);
    const { hi, lo } = words(va);
    const pfn = this.#translator.translate(hi, lo);
    if (pfn < 0) return null;
    return (BigInt(pfn) << BigInt(plan.pageShift)) | (va & ((1n << BigInt(plan.pageShift)) - 1n));
  }

  /**
   * Translates one address given as two 32-bit words: the fast path, without bigint and without allocation.
   *
   * @param vaHi - bits 63..32, signed or unsigned.
   * @param vaLo - bits 31..0, signed or unsigned.
   * @returns the frame of the address in base pages, also inside a larger leaf; -1 when there is no translation.
   */
  translateWords(vaHi: number, vaLo: number): number {
    if (this.#context.isDestroyed) throw destroyed();
    return this.#translator.translate(vaHi, vaLo);
  }

  /**
   * Lists leaves in address order, adjacent ones of one size with equal flags and adjacent frames as one run.
   *
   * A leaf that only partly lies in the range is listed whole. Do not change the table while iterating.
   *
   * @param va - first address in bytes; default: everything that the root translates.
   * @param bytes - length in bytes; given with `va`, and only then.
   * @throws VmError `EFAULT`, while iterating, when an entry points to a table that has no bytes.
   */
  leaves(va?: bigint, bytes?: bigint | number): IterableIterator<LeafRun> {
    const context = this.#live();
    const { plan } = context;
    if (va === undefined && bytes === undefined) return leafRuns(context, { first: 0, pages: plan.pages });
    return leafRuns(context, pageRange(plan.format, va as bigint, bytes as bigint));
  }

  /**
   * Flushes everything and gives all tables that this object owns, the root included, back to the allocator. The object
   * is unusable afterwards. Mapped frames, and tables of others that were linked in, stay with their owner.
   *
   * @throws VmError `EINVAL` when the root was opened and not made here, or when a table's frame was freed by somebody
   *   else; `EPERM` when read-only. Nothing is then changed.
   */
  destroy(): void {
    this.#change(destroyTables);
  }

  #live(): TableContext {
    if (this.#context.isDestroyed) throw destroyed();
    return this.#context;
  }

  /** Runs a call that changes the tables; one that comes from within another's flush sink is refused. */
  #change(call: (context: TableContext) => void): void {
    const context = this.#live();
    if (context.frames === null || !context.root.bank.writable) throw readOnly();
    if (context.isChanging) {
      throw new VmError('EBUSY', 'this page table is in the middle of a change', {
        advice: 'a flush sink must not change the table that called it',
      });
    }
    context.isChanging = true;
    try {
      call(context);
    } finally {
      context.isChanging = false;
    }
  }
}

/** Number of pages that a list of frames has, before its elements are looked at. */
function frameCount(frames: FrameList): number {
  if (frames instanceof Uint32Array || frames instanceof Float64Array || Array.isArray(frames)) {
    if (frames.length === 0) throw new VmError('EINVAL', 'the list of frames is empty');
    return frames.length;
  }
  throw new VmError('EINVAL', 'the frames are not an array', {
    advice: 'pass a Uint32Array, a Float64Array or an array of numbers',
  });
}

/** A misspelt access must not look allowed. */
function checkAccess(access: Access): void {
  if (!['read', 'write', 'execute'].includes(access?.kind) || typeof access.user !== 'boolean') {
    throw new VmError('EINVAL', 'the access is not one', {
      advice: "pass { kind: 'read' | 'write' | 'execute', user: boolean }",
    });
  }
}

function checkProtection(protection: Protection): Protection {
  if (typeof protection !== 'object' || protection === null || typeof protection.extra !== 'bigint') {
    throw new VmError('EINVAL', 'the protection is not complete', {
      advice: 'make it with protection({ … }) or take a named one of a Linux policy',
    });
  }
  return protection;
}

function leafCap(options: MapOptions): number {
  const cap = options?.maxLeafShift ?? 64;
  if (!Number.isInteger(cap)) {
    throw new VmError('EINVAL', `maxLeafShift is ${cap}`, {
      advice: 'give log2 of bytes, such as 21 for 2 MiB',
    });
  }
  return cap;
}

function physicalPage(plan: Plan, pa: bigint): number {
  const { pageShift, format } = plan;
  if (typeof pa !== 'bigint') {
    throw new VmError('EINVAL', `the physical address has type ${typeof pa}, expected bigint`);
  }
  if (pa < 0n || pa >> BigInt(format.paBits) !== 0n) {
    throw new VmError(
      'EINVAL',
      `the physical address 0x${pa.toString(16)} does not fit ${format.paBits} bits`,
    );
  }
  if ((pa & ((1n << BigInt(pageShift)) - 1n)) !== 0n) {
    throw new VmError('EINVAL', `the physical address is not a multiple of the page size`, { address: pa });
  }
  return Number(pa >> BigInt(pageShift));
}
