import type { PageTableFormat, PhysicalMemory } from '@vmarea/core';
import type { Random } from '../../random.js';
import type { MachineRam } from '../target.js';
import { rootBytes } from './address.js';
import { below, oneOf } from './draw.js';

/** Tables of a batch: the model's memory holds them. */
export interface Tables {
  readonly memory: PhysicalMemory;
  /** Physical address of the root. */
  readonly root: bigint;
  /** Addresses worth looking at. */
  readonly addresses: (random: Random) => bigint;
}

/** Frames for tables, one behind the other in each bank. */
export class TableFrames {
  readonly #next: bigint[];
  readonly #ram: MachineRam;
  readonly #format: PageTableFormat;

  constructor(format: PageTableFormat, ram: MachineRam) {
    this.#format = format;
    this.#ram = ram;
    this.#next = ram.banks.map(({ base }) => base);
  }

  /** Takes the root: more than a page where it is large, and aligned to its size. */
  root(random: Random): bigint {
    return this.#take(rootBytes(this.#format), random);
  }

  /** Takes a table. */
  table(random: Random): bigint {
    return this.#take(1n << BigInt(this.#format.pageShift), random);
  }

  #take(bytes: bigint, random: Random): bigint {
    const free = this.#ram.banks.flatMap(({ base, bytes: length }, i) => {
      const at = (((this.#next[i] as bigint) + bytes - 1n) / bytes) * bytes;
      // The physical address must be one that the format can say.
      const isLow = (at + bytes - 1n) >> BigInt(this.#format.paBits) === 0n;
      return isLow && at + bytes <= base + BigInt(length) ? [{ i, at }] : [];
    });
    const { i, at } = oneOf(random, free);
    // Not always the next one: gaps make low bits of an address count.
    this.#next[i] = at + bytes * (1n + below(random, 2n));
    return at;
  }
}
