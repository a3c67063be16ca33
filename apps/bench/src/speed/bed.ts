import { CheckError } from '@vmarea/cli';
import { rootFrames } from '@vmarea/compare';
import {
  type Configuration,
  FrameAllocator,
  PageTable,
  PhysicalMemory,
  type Protection,
  type ReadableTable,
  translateMany,
  wasmLoops,
} from '@vmarea/core';
import { fold } from './fold.js';
import { STREAM, scatter } from './scatter.js';
import { alignUp, FIRST_FRAME, type Size } from './size.js';

/** The loops that the engine uses: WebAssembly loops or array loops. */
export type Variant = 'wasm' | 'array';

/** Translations in one call of a check. */
const CHUNK = 4096;

/**
 * What the rounds of a workload share in one format: warm memory, an allocator for tables, and inputs that depend only on
 * the seed. There is no flush sink, as in the C reference.
 */
export class Bed {
  readonly configuration: Configuration;
  readonly size: Size;
  readonly seed: number;
  /** The first address of the range. */
  readonly start: bigint;
  /** The bytes of the range. */
  readonly bytes: bigint;
  readonly pageShift: number;
  readonly memory: PhysicalMemory;
  readonly tables: FrameAllocator;
  /** Options that forbid larger leaves, so that every format maps the same pages. */
  readonly baseLeaves: { readonly maxLeafShift: number };

  readonly #kept: { destroy(): void }[] = [];

  constructor(configuration: Configuration, size: Size, seed: number, variant: Variant) {
    const { format, linux } = configuration;
    this.configuration = configuration;
    this.size = size;
    this.seed = seed;
    this.pageShift = format.pageShift;
    this.start = alignUp(linux.window.start, size.leafShift);
    this.bytes = BigInt(size.rangePages) << BigInt(format.pageShift);
    this.baseLeaves = { maxLeafShift: format.pageShift };
    this.memory = PhysicalMemory.create({
      bytes: this.#tablesNeeded() * 2 ** format.pageShift,
      ...(variant === 'wasm' ? { loops: wasmLoops } : {}),
    });
    // Touch all bytes, so that the host takes its page faults now. A table that is not zeroed shows, too.
    for (const bank of this.memory.banks) bank.words.fill(-1);
    this.tables = new FrameAllocator(this.memory, { pageShift: format.pageShift });
  }

  /** The loops that the memory really has. */
  get loops(): 'wasm' | 'array' {
    return this.memory.banks[0]?.loops?.kind ?? 'array';
  }

  /** The protection of vmalloc pages. */
  get protection(): Protection {
    return this.configuration.linux.protections.PAGE_KERNEL;
  }

  /** Makes a page table with an empty root. */
  table(): PageTable {
    const table = new PageTable({
      format: this.configuration.format,
      memory: this.memory,
      frames: this.tables,
    });
    table.resetCounters();
    return table;
  }

  /** Makes a page table for all rounds. `close` destroys it. */
  keptTable(): PageTable {
    return this.keep(this.table());
  }

  /** Keeps something that has tables of this bed. `close` destroys it. */
  keep<T extends { destroy(): void }>(one: T): T {
    this.#kept.push(one);
    return one;
  }

  /** The list of frames: all different, in an order without runs. */
  frames(): Uint32Array {
    const frames = new Uint32Array(this.size.frames);
    const order = scatter(2 * frames.length, this.seed, STREAM.frames);
    for (let i = 0; i < frames.length; i++) frames[i] = FIRST_FRAME + order.at(i);
    return frames;
  }

  /** Pages of the range, one for each unit, in ascending or random order. */
  places(order: 'sequential' | 'random', stream: number = STREAM.addresses): Places {
    const { units, rangePages } = this.size;
    const mixed = order === 'random' ? scatter(rangePages, this.seed, stream) : null;
    const places = {
      pages: new Uint32Array(units),
      hi: new Int32Array(units),
      lo: new Int32Array(units),
      addresses: new BigUint64Array(units),
    };
    for (let i = 0; i < units; i++) {
      const page = mixed === null ? i : mixed.at(i);
      const address = this.start + (BigInt(page) << BigInt(this.pageShift));
      places.pages[i] = page;
      places.addresses[i] = address;
      places.hi[i] = Number(BigInt.asIntN(32, address >> 32n));
      places.lo[i] = Number(BigInt.asIntN(32, address));
    }
    return places;
  }

  /**
   * The checksum of all translations of the range: frames and leaf sizes, in order.
   *
   * @param mapped - the number of translations that must succeed.
   * @param step - base pages from one address to the next.
   * @throws CheckError when another number succeeds.
   */
  foldRange(table: ReadableTable, mapped: number, step = 1): number {
    const addresses = new BigUint64Array(CHUNK);
    // Count in words: bigints would be megabytes of garbage, which cool the caches before the next round.
    const words = new Uint32Array(addresses.buffer);
    const frames = new Float64Array(CHUNK);
    const leafShifts = new Uint8Array(CHUNK);
    const stride = step * 2 ** this.pageShift;
    const high = Math.floor(stride / 2 ** 32);
    let lo = Number(this.start & 0xffff_ffffn);
    let hi = Number(this.start >> 32n);
    let found = 0;
    let sum = 0;
    for (let left = this.size.rangePages / step; left > 0; left -= CHUNK) {
      const here = Math.min(CHUNK, left);
      for (let i = 0; i < here; i++) {
        words[2 * i] = lo;
        words[2 * i + 1] = hi;
        const next = lo + (stride % 2 ** 32);
        lo = next >>> 0;
        hi += high + (next > 0xffff_ffff ? 1 : 0);
      }
      found += translateMany(table, addresses.subarray(0, here), frames, leafShifts);
      for (let i = 0; i < here; i++) sum = fold(fold(sum, frames[i] as number), leafShifts[i] as number);
    }
    if (found !== mapped) {
      throw new CheckError(
        `${this.configuration.name}: ${found} mapped pages or leaves instead of ${mapped}`,
      );
    }
    return sum;
  }

  /**
   * Destroys what the bed keeps.
   *
   * @throws CheckError when a table leaked.
   */
  close(): void {
    for (const table of this.#kept) table.destroy();
    const { allocated } = this.tables.stats();
    if (allocated !== 0) {
      throw new CheckError(`${this.configuration.name}: ${allocated} table frames leaked`);
    }
  }

  /** An upper bound of the table frames: those of each level for the range, and two roots. */
  #tablesNeeded(): number {
    const { format } = this.configuration;
    const last = this.start + this.bytes - 1n;
    return format.levels
      .slice(0, -1)
      .filter(({ shift }) => shift > this.size.leafShift)
      .reduce(
        (sum, { shift }) => sum + Number((last >> BigInt(shift)) - (this.start >> BigInt(shift))) + 1,
        2 * rootFrames(format),
      );
  }
}

/** Addresses, in both forms that the engine takes. */
export interface Places {
  /** Counted from the start of the range. */
  readonly pages: Uint32Array;
  /** Bits 63..32. */
  readonly hi: Int32Array;
  /** Bits 31..0. */
  readonly lo: Int32Array;
  readonly addresses: BigUint64Array;
}
