import { copyFrames, type FrameArray, frameCount } from '../../check/frames.js';
import { shown, VmError } from '../../errors.js';
import type { FrameAllocator } from '../../memory/frames/frame-allocator.js';
import { type FrameOwners, freedByOthers, type OwnedFrames } from '../../space/frame-owners.js';
import type { KernelSpace } from '../kernel-space.js';
import type { LazyAreaOptions } from '../options.js';

/** Where the frames of a chunk come from, and where they go. */
export interface ChunkSource {
  /** Whether frames can be taken before they are used. */
  readonly isOwn: boolean;
  /** The most frames that there can be. */
  readonly most: number;
  /** @throws VmError `ENOMEM` when there are none; what a caller's function throws. */
  take(chunk: number): FrameArray;
  /** @throws what a caller's function throws. */
  give(frames: FrameArray, chunk: number): void;
  /** @throws VmError `EINVAL` when somebody else freed the frames. */
  check(frames: FrameArray): void;
}

/** The source that options name: a caller's function, a caller's allocator, or the memory of the space. */
export function chunkSource(space: KernelSpace, options: LazyAreaOptions, chunkPages: number): ChunkSource {
  const { populate, release, frames } = options;
  if (populate === undefined) return new AllocatedChunks(space, frames ?? space.machine.ram, chunkPages);
  return {
    isOwn: false,
    most: space.machine.totalRamPages,
    take: (chunk) => {
      const given = populate(chunk * chunkPages, chunkPages);
      const length = frameCount(given);
      if (length !== chunkPages)
        throw new VmError(
          'EINVAL',
          `populate gave ${shown(length)} frames for a chunk of ${chunkPages} pages`,
        );
      return copyFrames(given, length, space.pfnLimit);
    },
    give: (list, chunk) => release?.(list, chunk * chunkPages),
    check: () => {},
  };
}

/** Blocks of an allocator, one for each chunk. */
class AllocatedChunks implements ChunkSource {
  readonly isOwn = true;
  readonly most: number;
  /** By the allocator's state: no other area of any space may free a frame of a chunk. */
  readonly #owners: FrameOwners;
  readonly #frames: FrameAllocator;
  readonly #order: number;

  constructor(space: KernelSpace, frames: FrameAllocator, chunkPages: number) {
    this.#owners = space.machine.ownersOf(frames);
    this.#frames = frames;
    this.#order = Math.log2(chunkPages);
    this.most = frames.frames;
  }

  take(): FrameArray {
    const first = this.#frames.allocate(this.#order);
    // Nobody else may hand such a frame over: this area frees it.
    this.#owners.take(this.#blockAt(first));
    const list = new Float64Array(2 ** this.#order);
    for (let i = 0; i < list.length; i++) list[i] = first + i;
    return list;
  }

  give(list: FrameArray): void {
    const [first] = list as unknown as [number];
    const forget = (): void => this.#owners.release(this.#blockAt(first));
    if (this.#frames.calls !== null) {
      this.#frames.calls.giveAfter([first], 1, this.#order, forget);
      return;
    }
    forget();
    this.#frames.free(first, this.#order);
  }

  check(list: FrameArray): void {
    const [first] = list as unknown as [number];
    if (!this.#frames.isAllocated(first, this.#order)) throw freedByOthers(first);
  }

  #blockAt(first: number): OwnedFrames {
    const heads = new Float64Array(1);
    heads[0] = first;
    return { heads, order: this.#order };
  }
}
