import { checkAddress } from '../../check/address.js';
import { checkBytes } from '../../check/bytes.js';
import { copyFrames, type FrameList, frameCount } from '../../check/frames.js';
import { choiceOption } from '../../check/members.js';
import { type Given, optionsOf } from '../../check/options.js';
import { VmError } from '../../errors.js';
import type { Controls } from '../../format/access.js';
import type { Plan } from '../../format/plan.js';
import type { ReadableTable } from '../readable-table.js';
import type { TableContext } from '../state/context.js';
import { contextOf } from '../state/registry.js';
import { FrameSet } from './frame-set.js';
import { items } from './items.js';
import { rightsFor } from './leaf-list.js';
import { itemFace, type LeafRun, type UnlistedSpan } from './leaves.js';
import { MetTables } from './met-tables.js';

/** What `findMappings` looks for: `physical`, or `frames`. */
export interface FindOptions<C extends Controls = Controls> {
  /** First physical address, in bytes. The frames that have one of the bytes are looked for. */
  readonly physical?: bigint;
  /** Length of the range from `physical`, in bytes. Default: 1, which is the frame of that byte. */
  readonly bytes?: bigint | number;
  /** Frames to look for, in base pages, in any order: instead of `physical`. */
  readonly frames?: FrameList;
  /** As for `listLeaves`. Default: `list`, since each address that maps a frame counts. */
  readonly again?: 'name' | 'list';
  /** Processor modes for `rights` that differ from those that the table was opened with. Default: none. */
  readonly controls?: Partial<C>;
}

/** Addresses at which frames that were looked for are mapped. */
export interface FoundMapping {
  /** Tells it from an `UnlistedSpan`. */
  readonly kind: 'mapping';
  /** First address, in bytes: of a base page. */
  readonly va: bigint;
  /** Length in bytes: whole base pages. */
  readonly bytes: bigint;
  /** First frame, in base pages. All frames of the mapping were looked for. */
  readonly pfn: number;
  /** Physical address of the first byte. */
  readonly pa: bigint;
  /** The leaves that map it. They may map more, where they are larger than a base page. */
  readonly leaves: LeafRun;
}

const NAMES = ['physical', 'bytes', 'frames', 'again', 'controls'] as const;

/**
 * Finds who maps a frame: all addresses at which a page table maps some frames, in address order.
 *
 * Page tables have no way back from a frame to its addresses, so the call reads all tables, once for any number of
 * frames. It streams: nothing is kept but the frames. The work is bounded as for `listLeaves`.
 *
 * A table without bytes may map the frames: it is an item of kind `missing`. A table that is met again is listed again
 * only when it maps such a frame. With `again: 'name'`, or once the call has read 2^21 entries again, such a table is an
 * item of kind `again`.
 *
 * @throws VmError `EINVAL` for an invalid option, for both or none of `physical` and `frames`, for anything that is
 *   not a page table, or for a destroyed one; `ERANGE` for an address outside 64 bits.
 * @example
 * ```ts
 * for (const item of findMappings(table, { physical: 0x1234000n }))
 *   if (item.kind === 'mapping') console.log(hex(item.va), item.leaves.rights.write);
 * for (const item of findMappings(image, { frames: suspects })) console.log(item.kind, hex(item.va), item.bytes);
 * ```
 */
export function findMappings<C extends Controls>(
  table: ReadableTable<C>,
  options: FindOptions<C>,
): IterableIterator<FoundMapping | UnlistedSpan> {
  const context = contextOf(table);
  const given = optionsOf(options, NAMES, 'findMappings()');
  const again = choiceOption(given, 'again', ['name', 'list'], 'list');
  const rights = rightsFor(context, given);
  return mappings(context, framesOf(context.plan, given), {
    rights,
    tables: new MetTables(again === 'list'),
  });
}

function* mappings(
  context: TableContext,
  wanted: FrameSet,
  list: { readonly rights: ReturnType<typeof rightsFor>; readonly tables: MetTables },
): Generator<FoundMapping | UnlistedSpan, void, undefined> {
  const { pageShift, pages } = context.plan;
  const everything = { first: 0, pages };
  for (const item of items(context, everything, { ...list, face: itemFace(context), wanted })) {
    if (item.kind !== 'leaves') {
      yield item;
      continue;
    }
    for (const [first, end] of wanted.partsOf(item.pfn, item.count * 2 ** (item.leafShift - pageShift))) {
      yield {
        kind: 'mapping',
        va: item.va + (BigInt(first - item.pfn) << BigInt(pageShift)),
        bytes: BigInt(end - first) << BigInt(pageShift),
        pfn: first,
        pa: BigInt(first) << BigInt(pageShift),
        leaves: item,
      };
    }
  }
}

function framesOf({ pageShift, pfnLimit }: Plan, given: Given<FindOptions>): FrameSet {
  const { physical, bytes, frames } = given;
  if ((physical === undefined) === (frames === undefined) || (frames !== undefined && bytes !== undefined))
    throw new VmError('EINVAL', 'findMappings() needs either `physical` or `frames`', {
      advice: 'give { physical } with or without bytes, or { frames }',
    });
  if (frames !== undefined) {
    const list = frames as FrameList;
    return FrameSet.of(Float64Array.from(copyFrames(list, frameCount(list), pfnLimit)).sort());
  }
  checkAddress(physical, 'physical');
  const length = checkBytes((bytes ?? 1) as bigint, 'length', physical);
  const pfn = (address: bigint): number => Number(address >> BigInt(pageShift));
  return new FrameSet(Float64Array.of(pfn(physical)), Float64Array.of(pfn(physical + length - 1n) + 1));
}
