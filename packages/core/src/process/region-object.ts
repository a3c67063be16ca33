import { integerOption, textOption } from '../check/members.js';
import { optionsOf } from '../check/options.js';
import { isArray, shown, VmError } from '../errors.js';
import { counted, printsItself } from '../prints.js';
import type { MappedObject, Region } from './region-operations.js';
import { ObjectState, type RegionRecord } from './region-record.js';

/** What a `RegionObject` is called in `maps()`. */
export interface RegionObjectOptions {
  /** Its name: a path. Default: none. */
  readonly name?: string;
  /** Major and minor number of its device, 0 to 2^20 - 1. Default: 0 and 0. */
  readonly device?: readonly [major: number, minor: number];
  /** Inode number. Default: 0. */
  readonly inode?: number;
}

const NAMES = ['name', 'device', 'inode'] as const;

/**
 * What regions of several processes map: a file, a device, an arena (struct address_space). It knows the regions
 * that map it (i_mmap).
 *
 * A region with an object and without operations is shared memory, as of memfd_create: the object holds a page for
 * each offset that was used, until no region maps it.
 *
 * @example
 * ```ts
 * const file = new RegionObject({ name: '/dev/arena', device: [0, 15], inode: 7 });
 * process.mmap({ length: 1 << 20, read: true, shared: true, object: file, operations: { fault } });
 * file.zapRange(0, 4); // the first four pages fault again, in every process
 * ```
 */
export class RegionObject implements MappedObject {
  readonly name: string;
  readonly device: readonly [major: number, minor: number];
  readonly inode: number;
  readonly #state: ObjectState;

  /** @throws VmError `EINVAL` for an unknown or wrong option. */
  constructor(options?: RegionObjectOptions) {
    const given = optionsOf(options, NAMES, 'RegionObject');
    this.name = textOption(given, 'name', '');
    this.inode = integerOption(given, 'inode', 0, Number.MAX_SAFE_INTEGER, 0);
    const device = given.device ?? [0, 0];
    if (isArray(device) !== true || (device as unknown[]).length !== 2)
      throw new VmError('EINVAL', `device is ${shown(device)}, expected [major, minor]`);
    const [major, minor] = device as [unknown, unknown];
    const most = 2 ** 20 - 1;
    this.device = Object.freeze([
      integerOption({ major }, 'major', 0, most),
      integerOption({ minor }, 'minor', 0, most),
    ] as const);
    this.#state = new ObjectState(this);
    printsItself(new.target.prototype);
  }

  /** What is behind it; `null` for anything else. @internal */
  static stateOf(object: unknown): ObjectState | null {
    return typeof object === 'object' && object !== null && #state in object ? object.#state : null;
  }

  /** The regions that map it, of all processes, in the order in which they came to be (i_mmap). */
  get regions(): readonly Region[] {
    return this.#state.inOrder().map((record) => record.space.handleOf(record));
  }

  /**
   * Removes the pages of a range of offsets from every process (unmap_mapping_pages). Pages of a region
   * with adjacent frames go with one flush. Copies that a process made for itself stay. Pages that the object holds as shared memory stay, too.
   *
   * @param pgoff - first page of the object.
   * @param pages - how many.
   * @returns the number of mappings that went.
   * @throws VmError `EINVAL` for numbers that are none; `EBUSY` inside a call of one of the processes, and nothing
   *   has changed; what a sink throws: the processes before it have lost their pages, and a second call goes on.
   */
  zapRange(pgoff: number, pages: number): number {
    integerOption({ pgoff }, 'pgoff', 0, Number.MAX_SAFE_INTEGER);
    integerOption({ pages }, 'pages', 1, Number.MAX_SAFE_INTEGER);
    return this.#zap(-1, (region) => {
      const first = Math.max(region.first, region.first + (pgoff - region.pgoff));
      const end = Math.min(region.end, region.first + (pgoff + pages - region.pgoff));
      return { first, end };
    });
  }

  /**
   * Removes a frame from every process that maps it through this object.
   *
   * @param pfn - in base pages.
   * @returns the number of mappings that went.
   * @throws VmError as `zapRange`.
   */
  zapFrame(pfn: number): number {
    integerOption({ pfn }, 'pfn', 0, Number.MAX_SAFE_INTEGER);
    return this.#zap(pfn, ({ first, end }) => ({ first, end }));
  }

  /** Its name, and how many regions map it. */
  toString(): string {
    const { regions, pages } = this.#state;
    const name = this.name === '' ? '' : ` ${this.name}`;
    return `RegionObject${name}, mapped by ${counted(regions.size, 'region')}, holds ${counted(pages.size, 'page')}`;
  }

  #zap(pfn: number, rangeOf: (region: RegionRecord) => { first: number; end: number }): number {
    const regions = this.#state.inOrder();
    for (const { space } of regions) space.requireIdle();
    let went = 0;
    for (const region of regions) {
      const { first, end } = rangeOf(region);
      if (first < end && region.isLive) went += region.space.zap(region, first, end, pfn);
    }
    return went;
  }
}
