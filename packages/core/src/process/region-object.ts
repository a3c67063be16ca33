import { integerOption } from '../check/members.js';
import { optionsOf } from '../check/options.js';
import type { Region } from './region.js';

/** What a `RegionObject` is, for `maps()`. */
export interface RegionObjectOptions {
  /** Its name: a path. Default: none. */
  readonly name?: string;
  /** Major and minor number of its device. Default: 0 and 0. */
  readonly device?: readonly [major: number, minor: number];
  /** Inode number. Default: 0. */
  readonly inode?: number;
}

/**
 * What regions of several processes map: a file, a device, an arena (struct address_space). It knows the regions
 * that map it (i_mmap). A region with an object and without `fault` is shared memory: the object holds a page for
 * each offset that was used, until no region maps it.
 */
export class RegionObject {
  constructor(_options?: RegionObjectOptions) {}

  /** The regions that map it, of all processes, in the order in which they came to be (i_mmap). */
  get regions(): readonly Region[] {
    return [];
  }

  /**
   * Removes the pages of a range of offsets from every process (unmap_mapping_pages with even_cows false). Each
   * process whose pages go gets one flush for each region. Copies that a process made for itself stay.
   *
   * @param pgoff - first page. @param pages - how many.
   * @returns the number of pages that went.
   * @throws VmError `EBUSY` inside a call of one of the processes; what a sink throws. Processes that were done
   *   before have lost their pages; a second call goes on.
   */
  zapRange(pgoff: number, pages: number): number {
    integerOption({ pgoff }, 'pgoff', 0, Number.MAX_SAFE_INTEGER);
    integerOption({ pages }, 'pages', 1, Number.MAX_SAFE_INTEGER);
    optionsOf({}, [], '');
    return 0;
  }

  /**
   * Removes a frame from every process that maps it through this object.
   *
   * @returns the number of pages that went.
   * @throws VmError as `zapRange`.
   */
  zapFrame(_pfn: number): number {
    return 0;
  }
}
