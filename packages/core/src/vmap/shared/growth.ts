import { VmError } from '../../errors.js';
import type { Registry } from '../../threads/registry.js';
import { type LazyAreaStats, type LazyGrowth, nameOf, type VmStruct } from '../areas/vm-struct.js';
import type { KernelSpace } from '../kernel-space.js';
import { LazyPages, type LazyPagesOptions } from '../lazy/lazy-pages.js';
import type { GrowthOptions } from '../space-sharing.js';
import { populatedPages } from './chunk-tables.js';
import { SharedChunks } from './shared-chunks.js';
import type { GrowthShape } from './structs.js';

export type SharedGrowth = LazyGrowth;

/**
 * What populates a lazy area in this thread.
 *
 * @param given - what the caller asked for, or what the log says of an area of another thread.
 * @param token - of this thread.
 * @param registry - tells whether the maker of the area lives.
 */
export function makeGrowth(
  space: KernelSpace,
  vm: VmStruct,
  given: GrowthOptions | GrowthShape,
  token: number,
  registry?: Registry,
): { readonly growth: LazyGrowth; readonly shape: GrowthShape } {
  if (registry !== undefined) {
    const shape = given as GrowthShape;
    const isOpen = shape.source !== 'thread';
    return {
      shape,
      growth: isOpen ? new SharedChunks(space, vm, shape) : new OthersChunks(space, vm, shape, registry),
    };
  }
  const options = given as GrowthOptions;
  const { chunkShift = space.pageShift, protection, limit } = options;
  const shape: GrowthShape = {
    ...{ source: sourceOf(space, options), protection, chunkShift, maker: token },
    limit: limit === undefined ? null : BigInt(limit),
  };
  const growth =
    shape.source === 'thread'
      ? new LazyPages(space, vm, options as LazyPagesOptions)
      : new SharedChunks(space, vm, shape);
  return { growth, shape };
}

/** Who can give frames: each thread when they are the space's own, else only the thread that has the function. */
function sourceOf({ machine }: KernelSpace, { populate, frames }: GrowthOptions): GrowthShape['source'] {
  if (populate !== undefined) return 'thread';
  if (frames === undefined || frames.state === machine.ram.state) return 'ram';
  return frames.state === machine.tables.state ? 'tables' : 'thread';
}

/** A lazy area whose function or allocator only another thread has. */
class OthersChunks implements LazyGrowth {
  readonly #space: KernelSpace;
  readonly #vm: VmStruct;
  readonly #maker: number;
  readonly #registry: Registry;

  constructor(space: KernelSpace, vm: VmStruct, shape: GrowthShape, registry: Registry) {
    this.#space = space;
    this.#vm = vm;
    this.#maker = shape.maker;
    this.#registry = registry;
  }

  get stats(): LazyAreaStats {
    return {
      ...populatedPages(this.#space, this.#vm),
      prepared: 0,
      faults: 0,
      populatedChunks: 0,
      releasedChunks: 0,
    };
  }

  touch(): boolean {
    throw this.#refused();
  }

  populate(): void {
    throw this.#refused();
  }

  prepare(): number {
    throw this.#refused();
  }

  shrink(): number {
    throw this.#refused();
  }

  /** When its thread is gone, nobody can give the frames back, and the addresses can be freed. */
  checkAllocated(): void {
    if (!this.#registry.isDead(this.#maker)) throw this.#refused();
  }

  releaseAll(): unknown[] {
    return [];
  }

  #refused(): VmError {
    return new VmError(
      'EINVAL',
      `${nameOf(this.#vm)} gets its frames from a function or allocator of another thread`,
      { address: this.#vm.area.address, advice: 'call it in the thread that made the area' },
    );
  }
}
