import { CheckError } from '@vmarea/cli';
import { rootFrames } from '@vmarea/compare';
import {
  AddressSpace,
  type Configuration,
  FrameAllocator,
  PhysicalMemory,
  Process,
  wasmLoops,
} from '@vmarea/core';
import { Mmu } from '@vmarea/mmu';

/** First user address of every arena: each format translates it. */
export const USER_START: bigint = 1n << 32n;
/** Bytes of the largest arena. */
const ARENA_BYTES = 2 ** 32;
/** Bytes of a table's entry. */
const ENTRY_BYTES = 8;
/** The tables of a window of 4 GiB, and of a process with as many: twice what one of them needs, and some to spare. */
const TABLE_TREES = 2;
const SPARE_TABLES = 600;
/** What is left in pages for a later call to zero. */
const NOT_ZERO = 0x5aa5_a55a;

/** A machine. Its first frames are for tables, the others for pages. */
export class Bed {
  readonly configuration: Configuration;
  readonly pageBytes: number;
  readonly memory: PhysicalMemory;
  /** All words of the memory. */
  readonly words: Int32Array;
  readonly tables: FrameAllocator;
  readonly ram: FrameAllocator;
  readonly #firstPage: number;
  readonly #pages: number;

  /** @param pages - frames for pages. */
  constructor(configuration: Configuration, pages: number) {
    const { format } = configuration;
    const { pageShift } = format;
    this.configuration = configuration;
    this.pageBytes = 2 ** pageShift;
    const leafTables = (ARENA_BYTES * ENTRY_BYTES) / this.pageBytes ** 2;
    const first = Math.ceil(TABLE_TREES * leafTables) + SPARE_TABLES + 4 * rootFrames(format);
    this.#firstPage = first;
    this.#pages = pages;
    this.memory = PhysicalMemory.create({ loops: wasmLoops, bytes: (first + pages) * this.pageBytes });
    this.words = (this.memory.banks[0] as { readonly words: Int32Array }).words;
    this.tables = new FrameAllocator(this.memory, { pageShift, first: 0, frames: first });
    this.ram = new FrameAllocator(this.memory, { pageShift, first, frames: pages });
  }

  /** Words of a page. */
  get pageWords(): number {
    return this.pageBytes / 4;
  }

  /** A new kernel. The tables of areas stay until it is destroyed, so what counts tables needs one of its own. */
  kernel(): AddressSpace {
    const { memory, tables, ram } = this;
    const { format, linux } = this.configuration;
    return new AddressSpace({ format, linux, memory, frames: tables, ram });
  }

  /** A new process, whose flushes go to a processor that runs it. */
  process(kernel: AddressSpace): Process {
    const { userFormat } = this.configuration;
    const mmu = new Mmu({ memory: this.memory, tables: null });
    const process = new Process({
      ...{ kernel, sink: mmu.sink },
      ...(userFormat === undefined ? {} : { userFormat }),
    });
    const { format, root } = process.table;
    mmu.switchTables({ format, root, controls: format.controls }, process.asid);
    return process;
  }

  /** Writes to the first and the last word of every frame for pages. */
  soil(): void {
    const { words, pageWords } = this;
    for (let i = 0; i < this.#pages; i++) {
      const at = (this.#firstPage + i) * pageWords;
      words[at] = NOT_ZERO;
      words[at + pageWords - 1] = NOT_ZERO;
    }
  }

  /**
   * Checks how many frames were zeroed since `soil`.
   *
   * @throws CheckError with the number.
   */
  requireZeroed(what: string, pages: number): void {
    const { words, pageWords } = this;
    let zeroed = 0;
    for (let i = 0; i < this.#pages; i++) {
      const at = (this.#firstPage + i) * pageWords;
      if (words[at] === 0 && words[at + pageWords - 1] === 0) zeroed++;
    }
    this.require(what, 'pages that were zeroed', zeroed, pages);
  }

  /** @throws CheckError when a number is not what it must be. */
  require(what: string, of: string, found: number | bigint, expected: number | bigint): void {
    if (found === expected) return;
    throw new CheckError(`${this.configuration.name}, ${what}: ${of}: ${found}, expected ${expected}`);
  }
}
