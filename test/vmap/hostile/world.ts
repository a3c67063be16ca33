import type { SeededRandom } from '@vmarea/conformance';
import {
  AddressSpace,
  type AddressSpaceOptions,
  type FlushSink,
  FrameAllocator,
  type LazyArea,
  type PageTableFormat,
  PhysicalMemory,
  Process,
  VM_SPARSE,
  type VmArea,
  wasmLoops,
} from '@vmarea/core';
import { configuration, RAM_FIRST } from '../support/kernel.js';
import { type Live, Model } from './model.js';
import { Escape, Planted } from './planted.js';

/** Bytes of tables of the kernel, and of its stranger. */
const KERNEL_TABLES = 2 ** 20;
const OTHER_TABLES = 2 ** 17;
/** Frames of vmalloc memory: some calls must find none left, and arrays of pages must be longer than a page. */
const RAM_FRAMES = 2048;

/** Who looks at a world from outside: a sanitizer. */
export interface Watcher {
  /** Stands before the sink of the world. */
  sink(target: FlushSink): FlushSink;
  /** The kernel is made. */
  begin(kernel: AddressSpace): void;
  /** Called after each call. @throws Error for what it has found. */
  check(): void;
}

/** Makes a watcher for the memory and the allocators of a world, before its kernel is made. */
export type Watch = (memory: PhysicalMemory, frames: readonly FrameAllocator[]) => Watcher;

/** A small machine under attack, and what the attacker knows of it. */
export class World {
  readonly dice: SeededRandom;
  readonly watcher: Watcher | null;
  readonly model = new Model();
  readonly options: AddressSpaceOptions;
  readonly kernel: AddressSpace;
  /** An area of another space of the same format. */
  readonly #strange: VmArea;
  readonly frames: FrameAllocator;
  readonly ram: FrameAllocator;
  readonly memory: PhysicalMemory;
  readonly #userFormat: PageTableFormat | undefined;
  readonly page: number;
  readonly pageShift: number;
  readonly pages: bigint;
  /** Typed arrays that were passed to the call that runs: a sink changes them. */
  readonly arrays: (Uint32Array | Float64Array)[] = [];
  /** What a hostile argument or sink does to call back; set by the loop. */
  callBack: () => void = () => {};
  /** The range that the running call is about: what a getter likes to free. */
  target: bigint | null = null;
  /** Flushes may throw. */
  mayThrowInSink = false;
  /** Successful calls that changed something. */
  changes = 0;
  isGone = false;
  /** Everything is being freed: from now on callbacks behave. */
  isEnding = false;

  constructor(name: string, dice: SeededRandom, watch: Watch | null = null) {
    this.dice = dice;
    const { format, linux, userFormat } = configuration(name);
    this.pageShift = format.pageShift;
    this.page = 2 ** format.pageShift;
    this.pages = BigInt(this.page);
    const { pageShift } = format;
    this.memory = PhysicalMemory.create({ loops: wasmLoops, bytes: KERNEL_TABLES });
    this.frames = new FrameAllocator(this.memory, { pageShift });
    this.ram = dice.oneIn(4)
      ? this.frames
      : new FrameAllocator(null, { pageShift, first: RAM_FIRST, frames: RAM_FRAMES });
    const { start } = linux.window;
    this.watcher =
      watch?.(this.memory, this.ram === this.frames ? [this.frames] : [this.frames, this.ram]) ?? null;
    const sink = { flush: () => this.#flush() };
    this.options = {
      ...{ format, linux, memory: this.memory, frames: this.frames, ram: this.ram },
      sink: this.watcher?.sink(sink) ?? sink,
      release: dice.oneIn(2) ? '6.12' : '2026',
      cpus: dice.of([1, 1, 4]),
      blockPages: 128,
      autoPurge: !dice.oneIn(4),
      totalRamPages: this.ram.frames,
      ...(this.ram !== this.frames && dice.oneIn(2)
        ? { directMap: { base: directBase(start, BigInt(RAM_FIRST) << BigInt(pageShift)) } }
        : {}),
    };
    this.kernel = new AddressSpace(this.options);
    this.watcher?.begin(this.kernel);
    const others = PhysicalMemory.create({ loops: wasmLoops, bytes: OTHER_TABLES, base: BigInt(2 ** 24) });
    const stranger = new AddressSpace({
      ...{ format, linux, memory: others, frames: new FrameAllocator(others, { pageShift }) },
    });
    this.#strange = stranger.getVmArea(8 * this.page, VM_SPARSE);
    this.#userFormat = userFormat;
    // The first process makes the upper tables of the window. They stay, so later ones take no frame for long.
    this.makeUser().destroy();
  }

  /** A process of the kernel. */
  makeUser(): Process {
    const userFormat = this.#userFormat;
    return new Process({ kernel: this.kernel, ...(userFormat === undefined ? {} : { userFormat }) });
  }

  /** The direct map of `ram`; `null` when there is none. */
  get directMap(): { readonly start: bigint; readonly end: bigint } | null {
    const base = this.options.directMap?.base;
    if (base === undefined) return null;
    const start = base + (BigInt(this.ram.first) << BigInt(this.pageShift));
    return { start, end: start + (BigInt(this.ram.frames) << BigInt(this.pageShift)) };
  }

  /** A handle of any kind, or an object that looks like one. */
  someHandle(): unknown {
    const { dice, model } = this;
    const some = model.live.flatMap(({ handle }) => (handle === null ? [] : [handle]));
    const one = some.length === 0 ? undefined : dice.of(some);
    this.target = one?.addr ?? null;
    if (one !== undefined && !dice.oneIn(4)) return one;
    return dice.of<() => unknown>([
      () => model.freedHandles[0],
      () => model.freedHandles.at(-1),
      () => this.#strange,
      () => ({ ...one }),
      () => Object.create(one ?? null),
      () => new Proxy(one ?? {}, {}),
      () => one?.addr,
    ])();
  }

  /** A handle whose methods can be called: mostly a live one of this space. */
  someArea(): VmArea {
    const { dice, model, kernel } = this;
    const [freed] = model.freedHandles;
    if (freed !== undefined && dice.oneIn(10)) return freed;
    const areas = dice.oneIn(3) ? model.live : model.of('area');
    for (let i = 0; i < 3 && areas.length > 0; i++) {
      const { start, handle } = dice.of(areas);
      const found = handle ?? kernel.findVmArea(start);
      this.target = start;
      if (found !== null) return found;
    }
    return this.#strange;
  }

  someLazy(): LazyArea | null {
    const some = this.model.of('lazy');
    if (some.length === 0) return null;
    const { lazy, start } = this.dice.of(some);
    this.target = start;
    return lazy;
  }

  /** The handle of the live range that holds an address. */
  handleAt(address: bigint): VmArea | null {
    return (
      this.model.live.find(({ start, bytes }) => start <= address && address < start + bytes)?.handle ?? null
    );
  }

  /** First address of the live range of a handle. */
  startOf(handle: unknown): bigint | null {
    return this.model.live.find((one) => one.handle === handle && handle !== null)?.start ?? null;
  }

  /** Takes frames for the test itself: to be handed over. */
  hold(count: number): void {
    const { held } = this.model;
    for (let i = held.length; i < count; i++) {
      const pfn = this.ram.tryAllocate();
      if (pfn >= 0) held.push({ pfn, order: 0 });
    }
  }

  /** Vmalloc memory has changed its size in place. */
  regrown(address: bigint): void {
    const one = this.model.at(address);
    if (one === undefined || one.handle === null)
      throw new Escape('memory changed its size that is not live');
    const { ownedPages } = one.handle;
    if (BigInt(ownedPages) * this.pages > one.bytes) throw new Escape('memory owns more pages than it spans');
    one.owned = ownedPages;
  }

  /** True when the space was destroyed, and so refuses all calls. */
  isDestroyed(): boolean {
    try {
      this.kernel.shrinkPools();
      return false;
    } catch (error) {
      return error instanceof Error && error.message.includes('destroyed');
    }
  }

  /** Forgets the ranges that are not live any more, among some. */
  settleFreed(starts: readonly unknown[]): void {
    for (const start of starts) {
      const one: Live | undefined = typeof start === 'bigint' ? this.model.at(start) : undefined;
      if (one !== undefined && !this.#isLive(one)) this.model.remove(one);
    }
  }

  #isLive({ kind, start, handle }: Live): boolean {
    // A range of vmMapRam has no handle: it is unmapped before any sink is called.
    return kind === 'ram' ? this.kernel.vmallocToPage(start) !== null : handle?.isLive === true;
  }

  /** A sink that calls back, changes the arrays of the call, and sometimes throws. */
  #flush(): void {
    const { dice } = this;
    for (const array of this.arrays) array.fill(dice.below(2 ** 20));
    if (dice.oneIn(8)) this.callBack();
    if (this.mayThrowInSink && dice.oneIn(2)) throw new Planted('sink');
  }
}

/** A direct map a little below the window, aligned so that blocks fit. */
function directBase(window: bigint, physical: bigint): bigint {
  return window - (1n << 34n) - physical;
}
