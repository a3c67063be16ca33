import type { Random } from '@vmarea/compare';
import type { PageTableFormat, PhysicalMemory } from '@vmarea/core';
import type { MachineRam } from '../target.js';
import { rootBytes } from './address.js';
import { below, oneOf } from './draw.js';

/** The tables of a batch, in the model's memory. */
export interface Tables {
  readonly memory: PhysicalMemory;
  /** The physical address of the root. */
  readonly root: bigint;
  /** Draws an address to access. */
  readonly addresses: (random: Random) => bigint;
}

/** Allocates frames for tables, in ascending order in each bank. */
export class TableFrames {
  readonly #next: bigint[];
  readonly #ram: MachineRam;
  readonly #format: PageTableFormat;

  constructor(format: PageTableFormat, ram: MachineRam) {
    this.#format = format;
    this.#ram = ram;
    this.#next = ram.banks.map(({ base }) => base);
  }

  /** Takes a root, which may be larger than a page and is aligned to its size. */
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
      // The format must support the physical address.
      const isLow = (at + bytes - 1n) >> BigInt(this.#format.paBits) === 0n;
      return isLow && at + bytes <= base + BigInt(length) ? [{ i, at }] : [];
    });
    const { i, at } = oneOf(random, free);
    // Leave random gaps, so that low bits of an address matter.
    this.#next[i] = at + bytes * (1n + below(random, 2n));
    return at;
  }
}
