import { type Level, type PageTableFormat, type Words, words } from '@vmarea/core';
import type { Machine } from '../machine.js';
import { controlsOf } from '../members.js';
import { addressMask, addressOf, kindOf } from './entries.js';

/** One leaf, and what each mode allows with it and the entries above it. */
export interface LeafRights {
  readonly va: bigint;
  readonly bytes: bigint;
  readonly rights: string;
}

/**
 * The leaves that one slot of a level translates by, in the order of addresses, read from the bytes. `permissions` is asked for
 * each path of entries once.
 *
 * @param va - first address of the slot.
 * @param level - index of its level.
 */
export function rightsOfLeaves(machine: Machine, va: bigint, level: number): LeafRights[] {
  const { format } = machine;
  const path = machine.reads(va).slice(0, level + 1);
  const last = path[level];
  if (last === undefined) return [];
  const reader = new Reader(machine);
  const above = path.slice(0, level).map(({ entry }) => words(entry));
  reader.read(va, level, last.entry, above);
  return reader.found.map((one) => ({
    ...one,
    bytes: 1n << BigInt((format.levels[one.level] as Level).shift),
  }));
}

class Reader {
  readonly found: { readonly va: bigint; readonly level: number; readonly rights: string }[] = [];
  readonly #machine: Machine;
  readonly #format: PageTableFormat;
  readonly #address: bigint;
  readonly #known = new Map<string, string>();

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#format = machine.format;
    this.#address = addressMask(machine.format, machine.format.pageShift);
  }

  /** Notes the leaves that an entry translates by. */
  read(va: bigint, level: number, entry: bigint, above: readonly Words[]): void {
    const kind = kindOf(this.#format, level, entry);
    if (kind === 'leaf') this.found.push({ va, level, rights: this.#rightsOf(level, entry, above) });
    if (kind !== 'table') return;
    const { shift, bits } = this.#format.levels[level + 1] as Level;
    const table = addressOf(this.#format, entry, this.#format.pageShift);
    const path = [...above, words(entry)];
    for (let slot = 0n; slot < 1n << BigInt(bits); slot++) {
      const child = this.#machine.memory.read64(table + 8n * slot);
      if (child !== 0n) this.read(va + (slot << BigInt(shift)), level + 1, child, path);
    }
  }

  #rightsOf(level: number, entry: bigint, above: readonly Words[]): string {
    const leaf = words(entry & ~this.#address);
    const key = `${level} ${leaf.lo} ${leaf.hi} ${above.map(({ lo, hi }) => `${lo} ${hi}`).join(' ')}`;
    let rights = this.#known.get(key);
    if (rights === undefined) {
      rights = controlsOf(this.#format)
        .map(([, controls]) => JSON.stringify(this.#format.permissions([...above, leaf], controls)))
        .join();
      this.#known.set(key, rights);
    }
    return rights;
  }
}
