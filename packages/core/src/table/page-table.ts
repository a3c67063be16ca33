import { checkFrames, type FrameList, frameCount } from '../check/frames.js';
import { recordsOf } from '../check/list.js';
import { flagOption } from '../check/members.js';
import { optionsOf } from '../check/options.js';
import { VmError } from '../errors.js';
import type { Controls } from '../format/access.js';
import { checkProtection, type Protection, protectionFields } from '../format/protection.js';
import { batchOf, type LeafCaps, leafCaps, physicalPage, rangeOf } from './arguments.js';
import { linearSource, scatteredSource } from './change/map/frame-source.js';
import { type CheckedPiece, mapPages } from './change/map/map.js';
import { GENERAL, makeSinglePages, type SinglePageCalls } from './change/map/single-page.js';
import { protectPages } from './change/protect/protect.js';
import { destroyTables } from './change/remove/destroy.js';
import { reclaimTables } from './change/remove/reclaim.js';
import { unmapPages } from './change/remove/unmap.js';
import { sharedCalls } from './change/shared-calls.js';
import type { CutOptions, FlushOptions, MapOptions, MapPiece, UnmapOptions } from './options.js';
import { CUT_OPTIONS, FLUSH_OPTIONS, MAP_OPTIONS, UNMAP_OPTIONS } from './options.js';
import { addressOf, addressOfWords, pageRange } from './page-range.js';
import { ReadableTable } from './readable-table.js';
import { changeTables } from './state/change-lock.js';
import type { TableContext } from './state/context.js';
import { makeContext, type PageTableOptions } from './state/make.js';
import { requireLive } from './state/registry.js';
import type { LeavesOptions } from './walk/leaf-list.js';
import type { LeafItem, LeafRun } from './walk/leaves.js';
import { makeTranslator } from './walk/translate.js';

/**
 * One root and the tables below it: real entries in real memory, in the format's exact bits.
 *
 * Addresses are unsigned 64-bit bigints as the processor holds them (kernel addresses start with 0xffff…). A
 * call that throws leaves entries, allocator and live counts as they were.
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
export class PageTable<C extends Controls = Controls> extends ReadableTable<C> {
  readonly #context: TableContext;
  readonly #single: SinglePageCalls | null;

  /**
   * Makes an empty root, or takes the one that `root` names.
   *
   * @throws VmError `EINVAL` when format, memory, frames and root do not fit together; `ENOMEM` when there
   *   is no frame for the root; `EFAULT` when an existing root has no bytes.
   */
  constructor(options: PageTableOptions<C>) {
    const context = makeContext(options);
    const translator = makeTranslator(context);
    super(context, translator);
    this.#context = context;
    const shared = sharedCalls(context);
    this.#single = shared === null ? makeSinglePages(context, translator) : shared.singlePages(context);
  }

  /**
   * Maps pages to scattered frames.
   *
   * Every slot must be empty. Adjacent, aligned frames become larger leaves, or runs with a contiguous hint,
   * where the address allows it. A new mapping needs no flush. One is made where a larger leaf replaces an
   * empty table.
   *
   * @param va - first address in bytes, a multiple of the page size.
   * @param frames - pfns in base pages of the format, one per page; they need no bytes behind them.
   * @param protection - what the pages allow.
   * @throws VmError `EINVAL` misaligned, empty, or a frame that does not fit `paBits`; `ERANGE` outside the
   *   addresses that the format translates; `EBUSY` a slot is occupied, or a batch owes a flush for the
   *   range; `ENOMEM` no frame for a table; `EFAULT` a table has no bytes; `EPERM` the
   *   root is in read-only memory.
   * @example
   * ```ts
   * table.map(0xffffc90000000000n, Uint32Array.of(0x1234, 0x99, 0x7001), PAGE_KERNEL);
   * ```
   */
  map(va: bigint, frames: FrameList, protection: Protection, options?: MapOptions): void {
    this.#change((context) => {
      mapPages(context, [scatteredPiece(context, va, frames, protection, options)]);
    });
  }

  /**
   * Maps several pieces in one call: all of them or none. Each may have its own protection and caps.
   *
   * @param pieces - at least one. Two that overlap are refused like an occupied slot.
   * @throws VmError as `map`.
   * @example
   * ```ts
   * table.mapMany([
   *   { va: text, frames: textFrames, protection: PAGE_KERNEL_ROX },
   *   { va: data, frames: dataFrames, protection: PAGE_KERNEL, options: { maxLeafShift: 12 } },
   * ]);
   * ```
   */
  mapMany(pieces: readonly MapPiece[]): void {
    this.#change((context) => {
      const list = recordsOf(pieces, PIECE, 'pieces', 1) as MapPiece[];
      const checked = list.map(({ va, frames, protection, options }) =>
        scatteredPiece(context, va, frames, protection, options),
      );
      // Again: a getter of a later piece may have changed the list of an earlier one.
      for (const { range, source } of checked)
        checkFrames((source.narrow ?? source.wide) as FrameList, range.pages, context.plan.pfnLimit);
      mapPages(context, checked);
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
    options?: MapOptions,
  ): void {
    this.#change((context) => {
      const { plan } = context;
      const range = pageRange(plan.format, va, bytes);
      const source = linearSource(physicalPage(plan, pa), range.pages, plan.pfnLimit);
      const caps = capsFor('mapRange()', options);
      mapPages(context, [{ range, source, protection: checkProtection(protection), caps }]);
    });
  }

  /**
   * Removes the mappings of a range. Holes are allowed. One flush covers what was removed.
   *
   * A block or run that the range covers only in part is split: mappings outside the range stay.
   *
   * @param va - first address in bytes, a multiple of the page size.
   * @param bytes - length in bytes, a multiple of the page size.
   * @throws VmError `EINVAL` when an end lies inside a leaf larger than a page and `split` is false, or
   *   inside an entry above the last level that is not a leaf and cannot be split; `ENOMEM` no frame for the
   *   table of a split; `ERANGE`, `EFAULT`, `EPERM` as `map`; what the sink throws.
   * @example
   * ```ts
   * table.unmap(0xffffc90000000000n, 3 * 4096, { reclaim: true });
   * ```
   */
  unmap(va: bigint, bytes: bigint | number, options?: UnmapOptions): void {
    const given = optionsOf(options, UNMAP_OPTIONS, 'unmap()');
    this.#change((context) => {
      const range = pageRange(context.plan.format, va, bytes);
      const batch = batchOf(context, given);
      unmapPages(
        context,
        range,
        flagOption(given, 'reclaim', false),
        flagOption(given, 'split', true),
        batch,
      );
    }, given.reclaim === true);
  }

  /**
   * Maps one page. Its address comes as two 32-bit words: the fast path, without bigints or arrays.
   *
   * @param vaHi - bits 63..32 of the address, signed or unsigned.
   * @param vaLo - bits 31..0, a multiple of the page size.
   * @param pfn - frame in base pages; it needs no bytes behind it.
   * @param protection - what the page allows.
   * @throws VmError as `map`.
   * @example
   * ```ts
   * table.mapWords(0xffffc900, 0x00001000, 0x99, PAGE_KERNEL);
   * ```
   */
  mapWords(vaHi: number, vaLo: number, pfn: number, protection: Protection): void {
    if (this.#single?.map(vaHi, vaLo, pfn, protection) === true) return;
    this.map(addressOfWords(vaHi, vaLo), [pfn], protection);
  }

  /**
   * Removes the mapping of one page, and flushes when there was one. The address comes as two 32-bit words.
   *
   * A block or run around the page is split.
   *
   * @param vaHi - bits 63..32 of the address, signed or unsigned.
   * @param vaLo - bits 31..0, a multiple of the page size.
   * @returns the frame that was mapped, in base pages; -1 when none was.
   * @throws VmError as `unmap`.
   */
  unmapWords(vaHi: number, vaLo: number): number {
    const was = this.#single?.unmap(vaHi, vaLo) ?? GENERAL;
    if (was >= -1) return was;
    const va = addressOfWords(vaHi, vaLo);
    const pfn = this.translateWords(vaHi, vaLo);
    this.unmap(va, 2 ** this.#context.plan.pageShift);
    return pfn;
  }

  /**
   * Changes the protection of what is mapped in a range. Holes, and entries that the MMU ignores, are
   * skipped.
   *
   * Software bits, accessed and dirty survive as the format says (`PageTableFormat.change`). One flush
   * covers what changed. When nothing changed there is no flush.
   *
   * @param va - first address in bytes, a multiple of the page size.
   * @param bytes - length in bytes, a multiple of the page size.
   * @param fields - the members that change; each leaf keeps its others. `accessed`, `dirty` and `extra` are
   *   not protection: they may be given only as part of a complete one, and `PageTableFormat.change` says
   *   what becomes of them.
   * @throws VmError as `unmap`; `EINVAL` for a protection that the format cannot express.
   * @example
   * ```ts
   * table.protect(text, 2n << 20n, { write: false, execute: true });
   * ```
   */
  protect(va: bigint, bytes: bigint | number, fields: Partial<Protection>, options?: CutOptions): void {
    const given = optionsOf(options, CUT_OPTIONS, 'protect()');
    this.#change((context) => {
      const range = pageRange(context.plan.format, va, bytes);
      const batch = batchOf(context, given);
      protectPages(context, [range], protectionFields(fields), flagOption(given, 'split', true), batch);
    });
  }

  /**
   * Changes the protection of what is mapped in several ranges: all of them or none, with one flush.
   *
   * No range may end inside a block or run. Call `splitLeaves` first where one does.
   *
   * @param ranges - at least one, and none overlaps another: first address and length in bytes, multiples of
   *   the page size.
   * @param fields - the members that change, as for `protect`.
   * @throws VmError `EINVAL` when ranges overlap, or when one ends inside a block or run; as `protect`.
   */
  protectMany(
    ranges: readonly { readonly va: bigint; readonly bytes: bigint | number }[],
    fields: Partial<Protection>,
    options?: FlushOptions,
  ): void {
    const given = optionsOf(options, FLUSH_OPTIONS, 'protectMany()');
    this.#change((context) => {
      const list = recordsOf(ranges, RANGE, 'ranges', 1).map(({ va, bytes }) =>
        pageRange(context.plan.format, va as bigint, bytes as bigint | number),
      );
      list.sort((a, b) => a.first - b.first);
      for (const [i, { first }] of list.entries()) {
        const before = list[i - 1];
        if (before !== undefined && before.first + before.pages > first)
          throw new VmError('EINVAL', 'two ranges overlap', {
            address: addressOf(context.plan.format, first),
          });
      }
      protectPages(context, list, protectionFields(fields), false, batchOf(context, given));
    });
  }

  /**
   * Frees the empty tables in a range, after one flush that names them.
   *
   * A table that lies only partly in the range is freed too when all of it is empty. Do not call it while
   * other roots link to the tables.
   *
   * @param va - first address in bytes, a multiple of the page size. Default: everything.
   * @param bytes - length in bytes; given exactly when `va` is.
   * @returns the number of tables freed.
   * @throws VmError `ERANGE`, `EFAULT`, `EPERM` as `map`; `EINVAL` when somebody else freed a table's frame;
   *   what the sink throws.
   */
  reclaim(va?: bigint, bytes?: bigint | number, options?: FlushOptions): number {
    const given = optionsOf(options, FLUSH_OPTIONS, 'reclaim()');
    return this.#change(
      (context) => reclaimTables(context, rangeOf(context.plan, { va, bytes }), batchOf(context, given)),
      true,
    );
  }

  /**
   * Flushes everything, and frees all tables that this object owns, the root included. The object is
   * unusable afterwards. Mapped frames, and linked tables of other owners, stay allocated.
   *
   * @throws VmError `EINVAL` when the root was opened and not made here, or when somebody else freed a
   *   table's frame; `EBUSY` while a batch owes a flush; `EPERM` when read-only. Nothing is then changed.
   */
  destroy(): void {
    this.#change(destroyTables, true);
  }

  /**
   * Lists leaves in address order, as `ReadableTable.leaves` does. The list has leaves alone, or ends with an error:
   * who changes tables must not decide by half of a list. `complete: false` names tables instead, and goes on.
   *
   * @throws VmError as `ReadableTable.leaves` with `complete: true`.
   */
  override leaves(
    va?: bigint,
    bytes?: bigint | number,
    options?: LeavesOptions<C> & { readonly complete?: true },
  ): IterableIterator<LeafRun>;
  override leaves(
    va?: bigint,
    bytes?: bigint | number,
    options?: LeavesOptions<C>,
  ): IterableIterator<LeafItem>;
  override leaves(
    va?: bigint,
    bytes?: bigint | number,
    options?: LeavesOptions<C>,
  ): IterableIterator<LeafItem> {
    return super.leaves(va, bytes, options);
  }

  #change<R>(call: (context: TableContext) => R, isAlone: boolean = false): R {
    return changeTables(requireLive(this.#context), call, isAlone);
  }
}

const PIECE = ['va', 'frames', 'protection', 'options'] as const;
const RANGE = ['va', 'bytes'] as const;

/** One piece with scattered frames, checked. */
function scatteredPiece(
  { plan }: TableContext,
  va: bigint,
  frames: FrameList,
  protection: Protection,
  options: MapOptions | undefined,
): CheckedPiece {
  const count = frameCount(frames);
  const range = pageRange(plan.format, va, count * 2 ** plan.pageShift);
  const list = checkFrames(frames, count, plan.pfnLimit);
  const checked = checkProtection(protection);
  const caps = capsFor('map()', options);
  // Again where a getter of the protection or of the options may have changed the list.
  const mayHaveRun = checked !== protection || options !== undefined;
  const source = scatteredSource(mayHaveRun ? checkFrames(list, count, plan.pfnLimit) : list);
  return { range, source, protection: checked, caps };
}

function capsFor(call: string, options: MapOptions | undefined): LeafCaps {
  return leafCaps(optionsOf(options, MAP_OPTIONS, call));
}
