import { type Bank, type Level, type PageTableFormat, type Words, words } from '@vmarea/core';
import type { Machine } from '../machine.js';
import { controlsOf } from '../members.js';
import { addressMask, addressOf, kindOf } from './entries.js';

/** Leaves that follow each other and allow the same in every mode, with the entries above them. */
export interface RightsRun {
  readonly va: bigint;
  bytes: bigint;
  readonly rights: string;
}

/**
 * What one slot of a level translates by, read from the bytes, in the order of addresses. `permissions` is asked of each path of
 * entries once, since no right depends on an address.
 *
 * @param va - first address of the slot.
 * @param level - index of its level.
 * @param except - a page that is left out.
 */
export function rightsOfLeaves(machine: Machine, va: bigint, level: number, except?: bigint): RightsRun[] {
  const path = machine.reads(va).slice(0, level + 1);
  const last = path[level];
  if (last === undefined) return [];
  const reader = new Reader(machine, except);
  const above = path.slice(0, level).map(({ entry }) => words(entry));
  reader.read(va, level, last.entry, above);
  return reader.runs;
}

/** The rights of a leaf in each mode, as text that is equal where they are. */
export function rightsOf(format: PageTableFormat, path: readonly Words[]): string {
  return controlsOf(format)
    .map(([, controls]) => {
      const { kernel, user } = format.permissions(path, controls);
      const bits = [kernel.read, kernel.write, kernel.execute, user.read, user.write, user.execute];
      return bits.map((bit) => (bit ? '1' : '0')).join('');
    })
    .join(' ');
}

class Reader {
  readonly runs: RightsRun[] = [];
  readonly #format: PageTableFormat;
  readonly #bank: Bank;
  readonly #except: bigint | undefined;
  /** Entry bits that hold no address. */
  readonly #flags: Words;

  constructor({ format, memory }: Machine, except: bigint | undefined) {
    this.#format = format;
    this.#bank = memory.banks[0] as Bank;
    this.#except = except;
    this.#flags = words(~addressMask(format, format.pageShift));
  }

  /** Notes the leaves that an entry translates by. */
  read(va: bigint, level: number, entry: bigint, above: readonly Words[]): void {
    const kind = kindOf(this.#format, level, entry);
    if (kind === 'leaf') this.#note(va, level, 1, rightsOf(this.#format, [...above, words(entry)]));
    else if (kind === 'table') this.#readTable(va, level + 1, entry, above);
  }

  #readTable(va: bigint, level: number, entry: bigint, above: readonly Words[]): void {
    const { shift, bits } = this.#format.levels[level] as Level;
    const { words: memory } = this.#bank;
    const at = Number(addressOf(this.#format, entry, this.#format.pageShift)) / 4;
    const path = [...above, words(entry)];
    const end = 2 ** bits;
    const { lo: flagsLo, hi: flagsHi } = this.#flags;
    for (let slot = 0; slot < end; ) {
      const lo = memory[at + 2 * slot] as number;
      const hi = memory[at + 2 * slot + 1] as number;
      const first = slot++;
      const leaf = kindOf(this.#format, level, joined(lo, hi)) === 'leaf';
      // The engine writes leaves of equal flags by the hundreds.
      if (leaf)
        while (
          slot < end &&
          (((memory[at + 2 * slot] as number) ^ lo) & flagsLo) === 0 &&
          (((memory[at + 2 * slot + 1] as number) ^ hi) & flagsHi) === 0
        )
          slot++;
      const start = va + (BigInt(first) << BigInt(shift));
      if (leaf) this.#note(start, level, slot - first, rightsOf(this.#format, [...path, { lo, hi }]));
      else this.read(start, level, joined(lo, hi), path);
    }
  }

  #note(va: bigint, level: number, count: number, rights: string): void {
    const bytes = BigInt(count) << BigInt((this.#format.levels[level] as Level).shift);
    const page = 1n << BigInt(this.#format.pageShift);
    const except = this.#except;
    if (except !== undefined && va <= except && except < va + bytes) {
      this.#add(va, except - va, rights);
      this.#add(except + page, va + bytes - except - page, rights);
    } else this.#add(va, bytes, rights);
  }

  #add(va: bigint, bytes: bigint, rights: string): void {
    const last = this.runs.at(-1);
    if (bytes === 0n) return;
    if (last !== undefined && last.rights === rights && last.va + last.bytes === va) last.bytes += bytes;
    else this.runs.push({ va, bytes, rights });
  }
}

function joined(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}
