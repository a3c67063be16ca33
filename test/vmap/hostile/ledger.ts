import type { LazyArea, VmArea } from '@vmarea/core';
import type { Kind, Live } from './model.js';
import { Escape } from './planted.js';
import type { World } from './world.js';

/** The kinds of ranges that each freeing call may free. */
const FREEABLE: readonly Kind[] = ['area', 'vmalloc', 'vmap', 'device', 'percpu', 'lazy'];

/** Enters the results of successful calls into the model, and refuses impossible ones. */
export class Ledger {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /**
   * A new area.
   *
   * @param expected - the bytes that it may have; none when the request was not the same at each look.
   */
  area(
    kind: Kind,
    handle: VmArea | null,
    expected: readonly bigint[] | null,
    lazy?: LazyArea,
    fromRam = false,
  ): Live {
    if (handle === null || handle.isLive !== true) throw new Escape(`a new ${kind} is not live`);
    const { addr: start, bytes, size } = handle;
    if (expected !== null && !expected.includes(bytes))
      throw new Escape(`a new ${kind} has ${bytes} bytes, expected ${expected.join(' or ')}`);
    const { directMap } = this.#world;
    if (directMap !== null && start < directMap.end && start + size > directMap.start)
      throw new Escape(`a new ${kind} lies in the direct map`);
    const one: Live = {
      ...{ kind, start, bytes, guard: size - bytes, handle },
      ...{ lazy: lazy ?? null, growsFromRam: fromRam, owned: handle.ownedPages, parent: null },
    };
    this.#world.model.add(one);
    return one;
  }

  /** A new area by its address. */
  address(kind: Kind, address: unknown, expected: readonly bigint[] | null): Live {
    if (typeof address !== 'bigint') throw new Escape(`a new ${kind} at ${String(address)}`);
    const one = this.area(kind, this.#world.kernel.findVmArea(address), expected);
    if (one.start !== address) throw new Escape(`a new ${kind} does not begin where it was said to`);
    return one;
  }

  /** New vmalloc memory, and the array of its pages where that is longer than a page. */
  vmalloc(address: unknown, size: unknown): void {
    const one = this.address('vmalloc', address, this.roundings(size));
    const pages = Number(one.bytes / this.#world.pages);
    if (one.owned !== pages) throw new Escape(`vmalloc memory of ${pages} pages owns ${one.owned}`);
    const array = Math.ceil((pages * 8) / this.#world.page);
    if (array <= 1) return;
    const known = new Set(this.#world.model.live.map(({ start }) => start));
    const [found, ...others] = linesOf(this.#world).filter(
      ({ start, end }) => !known.has(start) && end > start,
    );
    if (found === undefined || others.length > 0) throw new Escape('the array of pages is not one area');
    const bytes = BigInt(array) * this.#world.pages;
    this.#world.model.add({
      ...{ kind: 'array', start: found.start, bytes, guard: found.end - found.start - bytes },
      ...{ handle: null, lazy: null, growsFromRam: false, owned: array, parent: one },
    });
  }

  /** A range of vmMapRam. */
  ram(address: unknown, pages: number): void {
    if (typeof address !== 'bigint' || pages < 1) throw new Escape('vmMapRam of no pages');
    this.#world.model.add({
      ...{ kind: 'ram', start: address, bytes: BigInt(pages) * this.#world.pages, guard: 0n },
      ...{ handle: null, lazy: null, growsFromRam: false, owned: 0, parent: null },
    });
  }

  /** Something was freed by its address; frames that it owned are free. */
  freed(address: unknown, kinds: readonly Kind[] = FREEABLE): Live {
    const one = this.#world.model.free(address, kinds);
    if (one.handle?.isLive === true) throw new Escape('what was freed still says that it is live');
    return one;
  }

  /** A range of vmMapRam was unmapped, by its own number of pages alone. */
  ramFreed(address: unknown, count: unknown): void {
    const { bytes } = this.freed(address, ['ram']);
    if (bytes !== BigInt(count as number) * this.#world.pages) throw new Escape('a range was freed in part');
  }

  /** As `freed`, by a call that must not free an area with owned frames. */
  unmapped(address: unknown): void {
    if (this.freed(address).owned > 0) throw new Escape('frames that an area owned are lost');
  }

  /** An area was removed: its frames belong to the test now. */
  removed(address: unknown): void {
    const { handle } = this.freed(address);
    const { ownedPages = 0, pageOrder = 0 } = handle ?? {};
    const frames = handle?.ownedFrames() ?? [];
    if (frames.length !== ownedPages) throw new Escape('a removed area tells not all frames that it owned');
    for (let i = 0; i < frames.length; i += 2 ** pageOrder)
      this.#world.model.held.push({ pfn: frames[i] as number, order: pageOrder });
  }

  /** Frames that the test held are an area's. */
  handedOver({ handle }: Live): void {
    const { held } = this.#world.model;
    for (const pfn of handle?.ownedFrames() ?? []) {
      const at = held.findIndex((one) => one.pfn === pfn && one.order === 0);
      if (at < 0) throw new Escape(`an area took frame ${pfn}, which nobody handed over`);
      held.splice(at, 1);
    }
  }

  /** The bytes that vmalloc memory of a size may span. */
  roundings(size: unknown): bigint[] | null {
    const bytes = bytesOf(size);
    if (bytes === null) return null;
    const { vmalloc } = this.#world.options.linux.leaves;
    return [this.#world.pageShift, ...vmalloc].map((shift) => roundUp(bytes, 1n << BigInt(shift)));
  }

  /** The bytes that an area of a size has. */
  rounded(size: unknown, shift: unknown = this.#world.pageShift): bigint[] | null {
    const bytes = bytesOf(size);
    return bytes === null || typeof shift !== 'number' ? null : [roundUp(bytes, 1n << BigInt(shift))];
  }
}

/** The areas in vmallocinfo, without ranges of vmMapRam and those that wait for a purge. */
export function linesOf({ kernel }: World): { start: bigint; end: bigint }[] {
  return [...kernel.vmallocinfo().matchAll(/^(0x[0-9a-f]+)-(0x[0-9a-f]+) +\d+(.*)$/gm)]
    .filter(([, , , rest]) => !/vm_map_ram|unpurged/.test(rest as string))
    .map(([, start, end]) => ({ start: BigInt(start as string), end: BigInt(end as string) }));
}

function bytesOf(size: unknown): bigint | null {
  return typeof size === 'bigint' || Number.isSafeInteger(size) ? BigInt(size as number) : null;
}

function roundUp(bytes: bigint, unit: bigint): bigint {
  return ((bytes + unit - 1n) / unit) * unit;
}
