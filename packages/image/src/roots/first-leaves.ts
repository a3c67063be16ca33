import {
  classify,
  type EntryKind,
  type FastMatch,
  type LevelPlan,
  leafFrame,
  type PageTableFormat,
  type PhysicalMemory,
  type Plan,
  pfnOf,
} from '@vmarea/core';

/** A leaf: where it maps, and what. In bytes. */
export interface FoundLeaf {
  readonly va: bigint;
  readonly pa: bigint;
}

/** Leaves that are taken of what an entry of the root translates, tables that are read for them, and tables in all. */
const LEAVES = 2;
const TABLES = 8;
const MOST_TABLES = 160;
/** Reserved entries that tables of a running kernel may have. */
const MOST_RESERVED = 2;

/**
 * The first leaves below each entry of a root. It reads a bounded number of tables, so that it may be asked of bytes that are no
 * table at all.
 *
 * @param root - physical address in bytes.
 * @param slots - entries of the root that are looked at, from the first one on. Default: all.
 */
export function firstLeaves(plan: Plan, memory: PhysicalMemory, root: bigint, slots?: number): FoundLeaf[] {
  return new Search(plan, memory).below(root, slots ?? (plan.levels[0] as LevelPlan).entries);
}

class Search {
  readonly #plan: Plan;
  readonly #memory: PhysicalMemory;
  /** Tables that were read below the entry of the root, and below all. */
  #tables = 0;
  #all = 0;
  #reserved = 0;

  constructor(plan: Plan, memory: PhysicalMemory) {
    this.#plan = plan;
    this.#memory = memory;
  }

  below(root: bigint, slots: number): FoundLeaf[] {
    const leaves: FoundLeaf[] = [];
    const { shift } = this.#plan.levels[0] as LevelPlan;
    const pageShift = BigInt(this.#plan.pageShift);
    const pfn = Number(root >> pageShift);
    const inside = Number(root & ((1n << pageShift) - 1n)) / 4;
    for (let slot = 0; slot < slots && this.#all < MOST_TABLES && !this.#isFoul; slot++) {
      const found: FoundLeaf[] = [];
      // The root itself is no further table.
      this.#all += Math.max(0, this.#tables - 1);
      this.#tables = 0;
      this.#look(0, pfn, inside, BigInt(slot) << BigInt(shift), slot, slot + 1, found);
      leaves.push(...found);
    }
    return leaves;
  }

  #look(
    index: number,
    pfn: number,
    inside: number,
    start: bigint,
    from: number,
    to: number,
    found: FoundLeaf[],
  ): void {
    const { pageShift, format, levels } = this.#plan;
    if (this.#tables++ >= TABLES) return;
    const place = this.#memory.locate(pfn, pageShift);
    if (place === null) return;
    const level = levels[index] as LevelPlan;
    const { words } = place.bank;
    for (
      let slot = from;
      slot < to && found.length < LEAVES && this.#tables < TABLES && !this.#isFoul;
      slot++
    ) {
      const at = place.word + inside + 2 * slot;
      const lo = words[at] as number;
      const hi = words[at + 1] as number;
      if ((lo | hi) === 0) continue;
      const kind = kindOf(format, level, lo, hi);
      const va = index === 0 ? start : start + (BigInt(slot) << BigInt(level.shift));
      if (kind === 'leaf') {
        const vaHi = Number((va >> 32n) & 0xffffffffn) | 0;
        const frame = leafFrame(this.#plan, level, lo, hi, vaHi, Number(va & 0xffffffffn) | 0);
        found.push({ va: this.#address(va), pa: BigInt(frame) << BigInt(pageShift) });
      } else if (kind === 'table') {
        const child = pfnOf(this.#plan.address, lo, hi);
        const below = levels[index + 1] as LevelPlan;
        this.#look(index + 1, child, 0, va, 0, below.entries, found);
      } else if (kind === 'reserved') this.#reserved++;
    }
  }

  /** True when it has seen what no tables have. */
  get #isFoul(): boolean {
    return this.#reserved > MOST_RESERVED;
  }

  /** An address of the root's range from one that is counted from its start. */
  #address(offset: bigint): bigint {
    const { bits, upper } = this.#plan.format.range;
    const isHigh = upper === 'ones' || (upper === 'sign' && offset >> BigInt(bits - 1) === 1n);
    return isHigh ? BigInt.asUintN(64, offset | (-1n << BigInt(bits))) : offset;
  }
}

/** What an entry is. Most are told by a compare; `classify` takes an object for each. */
function kindOf(
  { present }: PageTableFormat,
  { table, sureLeaf, level }: LevelPlan,
  lo: number,
  hi: number,
): EntryKind {
  if (table.rest === null && meets(table, lo, hi)) return 'table';
  if (sureLeaf !== null && meets(sureLeaf, lo, hi)) return 'leaf';
  return classify(present, level, { lo, hi });
}

function meets({ maskLo, maskHi, valueLo, valueHi }: FastMatch, lo: number, hi: number): boolean {
  return (((lo & maskLo) ^ valueLo) | ((hi & maskHi) ^ valueHi)) === 0;
}
