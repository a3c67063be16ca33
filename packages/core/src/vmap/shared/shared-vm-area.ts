import type { FrameList } from '../../check/frames.js';
import type { Protection } from '../../format/protection.js';
import { type Populated, pagesFrom, VmArea } from '../areas/vm-area.js';
import type { VmStruct } from '../areas/vm-struct.js';
import type { KernelSpace } from '../kernel-space.js';

/** What a handle needs of its space. */
interface Pinning {
  look(): void;
  pinned<R>(find: () => VmStruct, call: () => R): R;
  pin(find: () => VmStruct): void;
  unpin(): void;
  requireUnowned(vm: VmStruct): void;
}

/** A handle in a space of several threads. Each call learns first what other threads did to the area. */
export class SharedVmArea extends VmArea {
  readonly #threads: Pinning;
  readonly #struct: VmStruct;
  readonly #find: () => VmStruct;

  constructor(space: KernelSpace, vm: VmStruct, threads: Pinning) {
    super(space, space.linux, vm);
    this.#threads = threads;
    this.#struct = vm;
    this.#find = () => vm;
  }

  override get flags(): number {
    this.#threads.look();
    return super.flags;
  }

  override get requestedBytes(): bigint {
    this.#threads.look();
    return super.requestedBytes;
  }

  override get ownedPages(): number {
    this.#threads.look();
    return super.ownedPages;
  }

  override get pageOrder(): number {
    this.#threads.look();
    return super.pageOrder;
  }

  override get isLive(): boolean {
    this.#threads.look();
    return super.isLive;
  }

  override ownedFrames(): Float64Array {
    this.#threads.look();
    return super.ownedFrames();
  }

  override map(page: number, frames: FrameList | number, protection?: Protection): void {
    // No closure: this is the fast path.
    this.#threads.pin(this.#find);
    try {
      super.map(page, frames, protection);
    } finally {
      this.#threads.unpin();
    }
  }

  override unmap(page: number, count: number = 1): void {
    this.#threads.pin(this.#find);
    try {
      this.#threads.requireUnowned(this.#struct);
      super.unmap(page, count);
    } finally {
      this.#threads.unpin();
    }
  }

  override unmapNoflush(page: number, count: number): Float64Array {
    return this.#threads.pinned(this.#find, () => {
      this.#threads.requireUnowned(this.#struct);
      return super.unmapNoflush(page, count);
    });
  }

  override flush(page: number, count: number): void {
    this.#threads.pinned(this.#find, () => super.flush(page, count));
  }

  override protect(page: number, count: number, fields: Partial<Protection>): void {
    this.#threads.pinned(this.#find, () => super.protect(page, count, fields));
  }

  override requireIdle(): void {
    this.#threads.look();
    super.requireIdle();
  }

  override prepare(page: number = 0, count: number = pagesFrom(page, this.pages)): number {
    return this.#threads.pinned(this.#find, () => super.prepare(page, count));
  }

  override frameAt(page: number): number {
    this.#threads.look();
    return super.frameAt(page);
  }

  override populated(): Populated {
    this.#threads.look();
    return super.populated();
  }
}
