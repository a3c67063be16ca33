import { addressMask, firstAddress, rangeBytes, rootFrames, SeededRandom } from '@vmarea/conformance';
import {
  type MemoryType,
  type PageTableFormat,
  PhysicalMemory,
  protection,
  toBigint,
  VmError,
} from '@vmarea/core';

/** Frames of a memory with random tables. The first few are roots, the next ones tables, the rest data. */
const FRAMES = 48;
const TABLES = 24;
/** Slots that are used of each table. Few, so that addresses meet. */
const SLOTS = [0, 1, 2, 15, 16, 17];

/** Random page tables as bytes, with all that a hostile guest may write, and addresses that reach them. */
export class RandomTables {
  readonly memory: PhysicalMemory;
  readonly format: PageTableFormat;
  readonly #random: SeededRandom;
  /** Whether entries have random bits flipped, and leaves may be global. */
  readonly isWild: boolean;

  constructor(format: PageTableFormat, seed: number, isWild = true, base = 0x40000000n) {
    this.format = format;
    this.isWild = isWild;
    this.#random = new SeededRandom(seed);
    this.memory = PhysicalMemory.create({ bytes: FRAMES * 2 ** format.pageShift, base });
    for (let table = 0; table < TABLES; table++) {
      // A table may be used at any level, so most entries suit one level, and all of them some.
      const level = table < this.#rootsEnd ? 0 : 1 + this.#random.below(format.levels.length - 1);
      for (const slot of SLOTS) this.write(table, slot, level);
    }
  }

  /** A root: of the first, second or third address space. */
  root(number: number): bigint {
    return this.#frame(number * rootFrames(this.format));
  }

  get #rootsEnd(): number {
    return 3 * rootFrames(this.format);
  }

  /** Writes a random entry into a slot of a table. Returns its physical address. */
  write(table: number, slot: number, level: number): bigint {
    const address = this.#frame(table) + 8n * BigInt(slot);
    this.memory.write64(address, this.#entry(Math.min(level, this.format.levels.length - 1)));
    return address;
  }

  /** Changes a random entry. */
  edit(): void {
    const table = this.#random.below(TABLES);
    this.write(table, this.#random.of(SLOTS), this.#random.below(this.format.levels.length));
  }

  /** An address: mostly one that the tables reach. */
  address(random: SeededRandom = this.#random): bigint {
    const { levels, pageShift } = this.format;
    if (random.oneIn(40))
      return BigInt.asUintN(64, (BigInt(random.word()) << 32n) | BigInt(random.word() >>> 0));
    let va = BigInt(random.below(2 ** pageShift));
    for (const { shift, bits } of levels) {
      const slot = random.oneIn(12) ? random.below(2 ** bits) : random.of(SLOTS);
      va |= BigInt(slot % 2 ** bits) << BigInt(shift);
    }
    const half = random.oneIn(2) ? 'lower' : 'upper';
    return firstAddress(this.format, half) + (va % rangeBytes(this.format));
  }

  #frame(number: number): bigint {
    return (this.memory.banks[0]?.base ?? 0n) + (BigInt(number) << BigInt(this.format.pageShift));
  }

  #entry(level: number): bigint {
    const random = this.#random;
    const { format } = this;
    if (random.oneIn(10)) return random.oneIn(2) ? 0n : BigInt(random.word() >>> 0) << 1n;
    const isLeaf =
      level === format.levels.length - 1 || (format.levels[level]?.leaf !== null && random.oneIn(3));
    let entry = isLeaf ? this.#leaf(level) : this.#table();
    const flips = this.isWild && random.oneIn(3) ? 1 + random.below(2) : 0;
    for (let i = 0; i < flips; i++) entry ^= 1n << BigInt(random.below(64));
    return entry;
  }

  #table(): bigint {
    const random = this.#random;
    const { format } = this;
    const from = this.#rootsEnd;
    const frame = random.oneIn(20) ? 0x7_0000_0000n : this.#frame(from + random.below(TABLES - from));
    let entry = toBigint(format.tableEntry) | this.#addressBits(frame, format.pageShift);
    // Hardware's accessed bit, and what tables forbid, are among the bits that are no address.
    if (this.isWild && random.oneIn(2)) entry ^= 1n << BigInt(1 + random.below(8));
    if (this.isWild && random.oneIn(4)) entry ^= 1n << BigInt(58 + random.below(6));
    return entry;
  }

  #leaf(level: number): bigint {
    const random = this.#random;
    const { format } = this;
    const shift = format.levels[level]?.shift ?? 0;
    const bits = toBigint(this.#protection(level));
    const near =
      (random.oneIn(3) ? 0n : this.#frame(TABLES + random.below(FRAMES - TABLES))) >> BigInt(shift);
    const run = format.levels[level]?.run ?? null;
    const entry = bits | this.#addressBits(near << BigInt(shift), shift);
    if (run === null || !random.oneIn(6)) return entry;
    return (
      entry |
      toBigint(run.set) |
      (run.style === 'napot' ? this.#addressBits(BigInt(run.entries / 2) << 12n, 12) : 0n)
    );
  }

  #protection(level: number): ReturnType<PageTableFormat['encode']> {
    const random = this.#random;
    const flag = (): boolean => random.oneIn(2);
    for (let tries = 0; ; tries++) {
      const memory = tries > 20 ? 'normal' : (random.of(this.format.memoryTypes) as MemoryType);
      try {
        return this.format.encode(
          protection({
            ...{ read: tries > 20 || !random.oneIn(4), write: flag(), execute: flag(), user: flag(), memory },
            ...{ global: this.isWild && flag(), accessed: flag(), dirty: flag() },
          }),
          level,
        );
      } catch (error) {
        if (!(error instanceof VmError) || tries > 100) throw error;
      }
    }
  }

  #addressBits(pa: bigint, shift: number): bigint {
    let bits = 0n;
    for (const { entryBit, paBit, width } of this.format.address) {
      bits |= ((pa >> BigInt(paBit)) & ((1n << BigInt(width)) - 1n)) << BigInt(entryBit);
    }
    return bits & addressMask(this.format, shift);
  }
}

/** A memory with the same bytes at the same place. */
export function copyOf(memory: PhysicalMemory): PhysicalMemory {
  const [bank] = memory.banks;
  if (bank === undefined) throw new Error('a memory without a bank');
  const copy = PhysicalMemory.create({ bytes: bank.bytes, base: bank.base });
  copy.banks[0]?.words.set(bank.words);
  return copy;
}
