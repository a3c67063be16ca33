import { recordsOf } from '../../check/list.js';
import { VmError } from '../../errors.js';
import { checkCount } from '../bank.js';
import { isShared } from '../host.js';
import type { PhysicalMemory } from '../physical-memory.js';
import type { FrameRange } from './frame-state.js';

/**
 * The frames of a bank: of the first bank, or from a given frame to the end of the bank that holds it.
 *
 * @throws VmError `EPERM` when it is an image; `EFAULT` when no bank holds the given frame; `EINVAL` when
 *   the bank has no whole frame.
 */
export function rangeOfBank(memory: PhysicalMemory, pageShift: number, from: number | undefined): FrameRange {
  const bank = from === undefined ? memory.banks[0] : memory.bankOf(from, pageShift);
  if (bank === null || bank === undefined) throw noBytes(from as number, pageShift);
  if (!bank.writable) {
    throw new VmError('EPERM', 'the frames of this bank are a read-only image', {
      address: bank.base,
      advice: 'name first and frames of a writable bank',
    });
  }
  const size = 2 ** pageShift;
  const start = Number(bank.base);
  const pfn = from ?? Math.ceil(start / size);
  const frames = Math.floor((start + bank.bytes) / size) - pfn;
  if (frames < 1) {
    throw new VmError('EINVAL', `this bank holds no whole frame of ${size} bytes`, { address: bank.base });
  }
  return { pfn, frames };
}

/**
 * Refuses a range in which a frame has no bytes (`EFAULT`) or read-only ones (`EPERM`).
 *
 * @param forThreads - the bytes must be shared, too (`EINVAL`).
 */
export function checkBytes(
  memory: PhysicalMemory,
  range: FrameRange,
  pageShift: number,
  forThreads: boolean,
): void {
  const size = 2 ** pageShift;
  for (let pfn = range.pfn; pfn < range.pfn + range.frames; ) {
    const bank = memory.bankOf(pfn, pageShift);
    if (bank === null) throw noBytes(pfn, pageShift);
    if (!bank.writable) {
      throw new VmError('EPERM', `frame 0x${pfn.toString(16)} is in a read-only image`, {
        address: bank.base,
      });
    }
    if (forThreads && !isShared(bank.words.buffer)) {
      throw new VmError('EINVAL', 'threads cannot share the bytes of this bank', {
        address: bank.base,
        advice: 'pass `shared: true` to PhysicalMemory.create(), or a shared source',
      });
    }
    pfn = Math.floor((Number(bank.base) + bank.bytes) / size);
  }
}

/**
 * Sorts reserved ranges and joins those that touch or overlap.
 *
 * @throws VmError `EINVAL` for anything but a range; `ERANGE` for one that is not inside `all`.
 */
export function mergeReserved(
  reserved: readonly FrameRange[],
  all: FrameRange,
  pageShift: number,
): FrameRange[] {
  const list = recordsOf(reserved, ['pfn', 'frames'], 'reserved') as FrameRange[];
  for (const { pfn, frames } of list) {
    checkCount(pfn, 'pfn of a reserved range');
    checkCount(frames, 'frames of a reserved range');
    if (frames === 0)
      throw new VmError('EINVAL', `the reserved range at frame 0x${pfn.toString(16)} is empty`);
    if (pfn < all.pfn || pfn + frames > all.pfn + all.frames) {
      throw new VmError(
        'ERANGE',
        `${frames} reserved frames from 0x${pfn.toString(16)} on are not inside the allocator's range`,
        { address: BigInt(pfn) << BigInt(pageShift) },
      );
    }
  }
  const merged: { pfn: number; frames: number }[] = [];
  for (const { pfn, frames } of list.sort((a, b) => a.pfn - b.pfn)) {
    const last = merged.at(-1);
    if (last !== undefined && pfn <= last.pfn + last.frames) {
      last.frames = Math.max(last.frames, pfn + frames - last.pfn);
    } else {
      merged.push({ pfn, frames });
    }
  }
  return merged;
}

/** The parts of a range that ascending reserved ranges leave. */
export function freeRanges(reserved: readonly FrameRange[], all: FrameRange): FrameRange[] {
  const free: FrameRange[] = [];
  let pfn = all.pfn;
  for (const range of [...reserved, { pfn: all.pfn + all.frames, frames: 0 }]) {
    if (range.pfn > pfn) free.push({ pfn, frames: range.pfn - pfn });
    pfn = range.pfn + range.frames;
  }
  return free;
}

function noBytes(pfn: number, pageShift: number): VmError {
  return new VmError('EFAULT', `the memory has no bytes for frame 0x${pfn.toString(16)}`, {
    address: BigInt(pfn) << BigInt(pageShift),
    advice: 'give null as memory for frames without bytes, or reserve the frame',
  });
}
