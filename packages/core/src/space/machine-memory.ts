import { integerOption } from '../check/members.js';
import { VmError } from '../errors.js';
import type { PageTableFormat } from '../format/page-table-format.js';
import type { FrameAllocator } from '../memory/frames/frame-allocator.js';
import { FrameOwners } from './frame-owners.js';

/**
 * The memory of the machine, as opposed to devices: the frames of pages, the frames of tables, and who owns
 * them.
 */
export class MachineMemory {
  /** Frames of pages. */
  readonly ram: FrameAllocator;
  /** Frames of tables. */
  readonly tables: FrameAllocator;
  readonly owners: FrameOwners;
  /** The most pages that a call may ask for. */
  readonly totalRamPages: number;

  /**
   * @param pfnLimit - frames at or above it fit no entry of the format.
   * @throws VmError `EINVAL` for allocators that do not fit the format or share frames, and for an invalid
   *   number of pages.
   */
  constructor(
    format: PageTableFormat,
    pfnLimit: number,
    tables: FrameAllocator,
    ram: FrameAllocator,
    totalRamPages: number | undefined,
  ) {
    if (typeof ram?.tryAllocate !== 'function' || ram.pageShift !== format.pageShift)
      throw new VmError('EINVAL', '`ram` is not a FrameAllocator with the page size of the format');
    if (ram.first + ram.frames > pfnLimit)
      throw new VmError(
        'EINVAL',
        `\`ram\` has frames that do not fit ${format.paBits} physical address bits`,
      );
    requireApart(ram, tables, '`ram`');
    this.ram = ram;
    this.tables = tables;
    this.owners = new FrameOwners(ram, tables);
    this.totalRamPages = integerOption(
      { totalRamPages },
      'totalRamPages',
      1,
      Number.MAX_SAFE_INTEGER,
      ram.frames,
    );
  }

  /** True when one of adjacent frames is memory, that is, belongs to an allocator. */
  holds(first: number, count: number = 1): boolean {
    return hasOneOf(this.ram, first, count) || hasOneOf(this.tables, first, count);
  }

  /** Who owns the frames of an allocator: the machine's, or one that a caller passed for an area. */
  ownersOf(frames: FrameAllocator): FrameOwners {
    return frames.state === this.ram.state ? this.owners : new FrameOwners(frames, this.tables);
  }

  /**
   * @throws VmError `EINVAL` when an allocator shares frames with the machine's own: both would hand them
   *   out.
   */
  requireOthers(frames: FrameAllocator, what: string): void {
    requireApart(frames, this.ram, what);
    requireApart(frames, this.tables, what);
  }

  /** @throws VmError `E2BIG` when a call asks for more pages than the machine has. */
  requireAtMost(pages: number): void {
    if (pages > this.totalRamPages)
      throw new VmError('E2BIG', `${pages} pages are more than the machine has: ${this.totalRamPages}`);
  }
}

function hasOneOf({ first, frames }: FrameAllocator, pfn: number, count: number): boolean {
  return pfn < first + frames && pfn + count > first;
}

/** @throws VmError `EINVAL` when two different allocators share frames. */
function requireApart(a: FrameAllocator, b: FrameAllocator, what: string): void {
  if (a.state !== b.state && hasOneOf(a, b.first, b.frames))
    throw new VmError('EINVAL', `${what} has frames that another allocator of the space hands out too`, {
      advice: 'use one allocator for both, or separate ranges',
    });
}
