import { checkAddress } from '../check/address.js';
import { choiceOption, integerOption, wrongValue } from '../check/members.js';
import { optionsOf } from '../check/options.js';
import { checkWindow } from '../check/window.js';
import { VmError } from '../errors.js';
import { counted, printsItself } from '../prints.js';
import type { Area } from './area.js';
import { type AddressWindow, hullOf } from './page-units.js';
import { VmapAreas } from './vmap-areas.js';

/** Options of `VmapBlocks`. */
export interface VmapBlocksOptions {
  /** The areas that blocks are taken from. When nothing fits, they ask the blocks for room. */
  readonly areas: VmapAreas;
  /**
   * Pages of a block, a power of two from 128 to 1024 (VMAP_BBMAP_BITS). Linux derives it from NR_CPUS: 1024
   * with 4K pages and up to 2048 processors, 256 with 8192. Default: 1024.
   */
  readonly blockPages?: number;
}

/**
 * Pages of the largest range that is cut from a block. A larger range is an area of its own
 * (VMAP_MAX_ALLOC).
 */
const MOST_PAGES = 64;

/**
 * One block. It is handed out from the bottom up, and no part of it twice before all of it has come back.
 */
export interface Block {
  readonly area: Area;
  readonly cpu: number;
  /** Number of blocks made before it. */
  readonly rank: number;
  /** Pages at its end that are not handed out yet. */
  free: number;
  /** Pages that came back. */
  dirty: number;
  /** Pages that came back and are not flushed: [from, to). */
  dirtyFrom: number;
  dirtyTo: number;
  /** Pages of each live range, by its first page. */
  readonly live: Map<number, number>;
}

/** The parts of `VmapBlocks` that a checkpoint holds. */
export interface BlocksParts {
  readonly open: Block[][];
  readonly blocks: Map<bigint, Block>;
  readonly large: Map<bigint, Area>;
  /** Number of blocks made so far. */
  readonly ranks: { made: number };
}

/**
 * Short-lived ranges as `vm_map_ram` hands them out: cut from blocks, a power of two pages each, without
 * guards.
 *
 * A block is used from the bottom up. No part of it is used again before all of it came back. It is then
 * freed like an area. `unmapAliases` also frees blocks with nothing live in them before that.
 *
 * Source: Linux 6.12, `mm/vmalloc.c`: vb_alloc, vb_free, new_vmap_block, purge_fragmented_block,
 * _vm_unmap_aliases.
 *
 * @example
 * ```ts
 * const blocks = new VmapBlocks({ areas });
 * const address = blocks.reserve(3); // takes 4 pages of a block
 * blocks.free(address, 3);
 * ```
 */
export class VmapBlocks {
  readonly #areas: VmapAreas;
  readonly #pageShift: number;
  readonly #blockPages: number;
  /** Blocks with room, by processor, oldest first. */
  readonly #open: Block[][];
  /** All blocks, by first page. Areas that are not blocks are not in it. */
  readonly #blocks = new Map<bigint, Block>();
  /** Ranges that are areas of their own. */
  readonly #large = new Map<bigint, Area>();
  readonly #ranks = { made: 0 };

  /** @throws VmError `EINVAL` when an option is out of range. */
  constructor(options: VmapBlocksOptions) {
    const given = optionsOf<Partial<VmapBlocksOptions>>(options, ['areas', 'blockPages'], 'VmapBlocks');
    const { areas } = given;
    if (!VmapAreas.is(areas)) throw wrongValue('areas', areas, 'a VmapAreas');
    const blockPages = choiceOption(given, 'blockPages', [128, 256, 512, 1024], 1024);
    this.#areas = areas;
    this.#pageShift = areas.pageShift;
    this.#blockPages = blockPages;
    this.#open = Array.from({ length: areas.cpus }, () => []);
    areas.addReclaim(() => this.#dropFragmented(true));
    printsItself(new.target.prototype);
  }

  /** What it is made of, for a checkpoint. @internal */
  static partsOf(blocks: VmapBlocks): BlocksParts {
    return { open: blocks.#open, blocks: blocks.#blocks, large: blocks.#large, ranks: blocks.#ranks };
  }

  /** How many blocks it has, and how large they are. */
  toString(): string {
    const large = this.#large.size === 0 ? '' : ` and ${counted(this.#large.size, 'larger range')}`;
    return `VmapBlocks: ${counted(this.count, 'block')} of ${this.#blockPages} pages${large}`;
  }

  /** Number of blocks that are not freed. */
  get count(): number {
    return this.#blocks.size;
  }

  /**
   * Reserves a range.
   *
   * @param pages - at least 1. Up to 64 are rounded up to a power of two and cut from a block.
   * @param cpu - the processor that asks. Default: 0.
   * @returns its first byte.
   * @throws VmError `EINVAL` for an invalid number of pages or processor; `ENOMEM` when nothing fits. Errors
   *   of the areas' sink, as for their `reserve`.
   */
  reserve(pages: number, cpu = 0): bigint {
    this.#checkPages(pages);
    integerOption({ cpu }, 'cpu', 0, this.#open.length - 1);
    const open = this.#open[cpu] as Block[];
    if (pages > MOST_PAGES) {
      const area = this.#areas.reserve(this.#bytes(pages), { guardBytes: 0, info: { isRam: true }, cpu });
      this.#large.set(area.address, area);
      return area.address;
    }
    const taken = roundUp(pages);
    const block = open.find(({ free }) => free >= taken) ?? this.#newBlock(cpu, open);
    const first = this.#blockPages - block.free;
    block.free -= taken;
    block.live.set(first, pages);
    if (block.free === 0) open.splice(open.indexOf(block), 1);
    return block.area.address + this.#bytes(first);
  }

  /**
   * Gives a range back. It is not used again before its whole block is.
   *
   * @param pages - as for `reserve`.
   * @throws VmError `EINVAL` when no range begins there, or when it has another number of pages; `ERANGE` for
   *   an address outside 64 bits. An error of the areas' sink: the range came back all the same and must not be freed again.
   */
  free(address: bigint, pages: number): void {
    checkAddress(address);
    this.#checkPages(pages);
    const large = this.#large.get(address);
    if (large !== undefined) {
      if (large.bytes !== this.#bytes(pages)) throw this.#unknown(address, pages);
      this.#large.delete(address);
      this.#areas.free(large);
      return;
    }
    const { block, first } = this.#placeOf(address);
    if (block === undefined || block.live.get(first) !== pages) throw this.#unknown(address, pages);
    block.live.delete(first);
    block.dirtyFrom = Math.min(block.dirtyFrom, first);
    block.dirtyTo = Math.max(block.dirtyTo, first + pages);
    block.dirty += roundUp(pages);
    if (block.dirty < this.#blockPages) return;
    this.#drop(block);
    this.#areas.free(block.area);
  }

  /**
   * Undoes the last reservation, which was not used. The range can be reserved again at once.
   *
   * @throws VmError `EINVAL` when no range begins there, or when others of its block were reserved since;
   *   `ERANGE` for an address outside 64 bits.
   */
  cancel(address: bigint): void {
    checkAddress(address);
    const large = this.#large.get(address);
    if (large !== undefined) {
      this.#large.delete(address);
      this.#areas.cancel(large);
      return;
    }
    const { block, first } = this.#placeOf(address);
    const pages = block?.live.get(first);
    const isLast = pages !== undefined && block?.free === this.#blockPages - first - roundUp(pages);
    if (block === undefined || pages === undefined || !isLast)
      throw new VmError('EINVAL', 'the last reserved range does not begin here', { address });
    block.live.delete(first);
    if (block.free === 0) this.#reopen(block);
    block.free += roundUp(pages);
    if (block.free < this.#blockPages) return;
    this.#drop(block);
    this.#areas.cancel(block.area);
  }

  /**
   * Pages of the live range that begins at an address; 0 for none.
   *
   * @throws VmError `EINVAL`, `ERANGE` for an invalid address.
   */
  pagesAt(address: bigint): number {
    checkAddress(address);
    const large = this.#large.get(address);
    if (large !== undefined) return Number(large.bytes >> BigInt(this.#pageShift));
    const { block, first } = this.#placeOf(address);
    return block?.live.get(first) ?? 0;
  }

  /**
   * Makes sure that no old translation is left (vm_unmap_aliases). It frees blocks that have nothing live
   * and less than a quarter free. One flush covers what came back in the other blocks, and all that was
   * freed.
   *
   * What the sink frees inside the flush is left for the next call.
   *
   * @param also - bytes that the flush must also cover.
   * @throws VmError `EINVAL`, `ERANGE` for an invalid range; `EBUSY` inside the `flush` of the areas' sink, and errors of that sink: the next call
   *   then flushes what came back.
   */
  unmapAliases(also?: AddressWindow): void {
    const dirty = [...this.#blocks.values()].filter(
      (block) => block.dirtyTo > 0 && !this.#isFragmented(block, false),
    );
    let hull: AddressWindow | undefined =
      also === undefined ? undefined : checkWindow(also, 'the range to flush', 'also.');
    for (const { area, dirtyFrom, dirtyTo } of dirty) {
      const start = area.address + this.#bytes(dirtyFrom);
      hull = hullOf(hull, { start, end: area.address + this.#bytes(dirtyTo) });
    }
    this.#areas.purge(hull, () => {
      // From here on the areas owe this flush, whichever purge makes it. What comes back during the flush is
      // not part of it.
      for (const block of dirty) {
        block.dirtyFrom = this.#blockPages;
        block.dirtyTo = 0;
      }
      return this.#dropFragmented(false);
    });
  }

  /** Removes blocks whose pages all came back, as far as they were handed out, and returns their areas. */
  #dropFragmented(isForced: boolean): Area[] {
    const blocks = [...this.#blocks.values()].filter((block) => this.#isFragmented(block, isForced));
    for (const block of blocks) this.#drop(block);
    return blocks.map(({ area }) => area);
  }

  #isFragmented({ free, dirty }: Block, isForced: boolean): boolean {
    return free + dirty === this.#blockPages && dirty > 0 && (isForced || free < this.#blockPages / 4);
  }

  /** The block of an address and the page in it. Inside a page it is -1, where no range begins. */
  #placeOf(address: bigint): { block: Block | undefined; first: number } {
    const inBlock = address % this.#bytes(this.#blockPages);
    const isPage = inBlock % this.#bytes(1) === 0n;
    return {
      block: this.#blocks.get(address - inBlock),
      first: isPage ? Number(inBlock >> BigInt(this.#pageShift)) : -1,
    };
  }

  #newBlock(cpu: number, open: Block[]): Block {
    const bytes = this.#bytes(this.#blockPages);
    const area = this.#areas.reserve(bytes, { align: bytes, guardBytes: 0, info: { isRam: true }, cpu });
    const block = {
      area,
      cpu,
      rank: this.#ranks.made++,
      free: this.#blockPages,
      dirty: 0,
      dirtyFrom: this.#blockPages,
      dirtyTo: 0,
      live: new Map(),
    };
    this.#blocks.set(area.address, block);
    open.push(block);
    return block;
  }

  /** Puts a block that has room again back in its place among those of its processor. */
  #reopen(block: Block): void {
    const open = this.#open[block.cpu] as Block[];
    const behind = open.findIndex(({ rank }) => rank > block.rank);
    open.splice(behind < 0 ? open.length : behind, 0, block);
  }

  /** Forgets a block. The caller frees its area. */
  #drop(block: Block): void {
    this.#blocks.delete(block.area.address);
    const open = this.#open[block.cpu] as Block[];
    const at = open.indexOf(block);
    if (at >= 0) open.splice(at, 1);
  }

  #unknown(address: bigint, pages: number): VmError {
    return new VmError('EINVAL', `no range of ${counted(pages, 'page')} begins here`, {
      address,
      advice: 'free it once, with the number of pages that it was reserved with',
    });
  }

  #checkPages(pages: number): void {
    if (!Number.isSafeInteger(pages) || pages < 1) throw wrongValue('pages', pages, '1 or more');
  }

  #bytes(pages: number): bigint {
    return BigInt(pages) << BigInt(this.#pageShift);
  }
}

/** The next power of two. */
function roundUp(pages: number): number {
  return 2 ** Math.ceil(Math.log2(pages));
}
