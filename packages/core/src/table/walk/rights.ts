import type { AddressCodec } from '../../address-codec.js';
import type { Allowed, Controls } from '../../format/access.js';
import { isInRun } from '../../format/classify.js';
import type { MemoryAttributes } from '../../format/memory-attributes.js';
import type { PageTableFormat } from '../../format/page-table-format.js';
import type { LevelPlan, Plan } from '../../format/plan.js';
import type { Protection } from '../../format/protection.js';
import type { Words } from '../../words.js';
import type { TableContext } from '../state/context.js';

/**
 * What all levels together allow the side (user or kernel) that a page belongs to, under given controls. Equal
 * rights are one object.
 */
export interface Rights {
  /** Loads. */
  readonly read: boolean;
  /** Stores. */
  readonly write: boolean;
  /** Instruction fetches. */
  readonly execute: boolean;
  /** The page belongs to user mode. */
  readonly user: boolean;
}

const RIGHTS: readonly Rights[] = Array.from({ length: 16 }, (_, index) =>
  Object.freeze({
    read: (index & 1) !== 0,
    write: (index & 2) !== 0,
    execute: (index & 4) !== 0,
    user: (index & 8) !== 0,
  }),
);

/** What leaves of the same bits, below the same table entries, have in common. */
export interface JudgedLeaf {
  readonly rights: Rights;
  readonly protection: Protection;
  readonly attributes: MemoryAttributes | null;
  readonly runShift: number | null;
}

/*
 * Most values that a map keeps: tables of random bits must not fill the memory. Kernels have a few kinds of table
 * entries, and some tens of leaves.
 */
const MOST_PATHS = 64;
const MOST_LEAVES = 4096;

/** Values by two words, so that a look-up makes no key. */
class WordsMap<T> {
  readonly #byLow = new Map<number, Map<number, T>>();
  readonly #most: number;
  #size = 0;

  /** @param most - it is emptied when it has that many values. */
  constructor(most: number) {
    this.#most = most;
  }

  get(lo: number, hi: number): T | undefined {
    return this.#byLow.get(lo)?.get(hi);
  }

  set(lo: number, hi: number, value: T): void {
    if (this.#size === this.#most) {
      this.#byLow.clear();
      this.#size = 0;
    }
    let byHigh = this.#byLow.get(lo);
    if (byHigh === undefined) {
      byHigh = new Map();
      this.#byLow.set(lo, byHigh);
    }
    byHigh.set(hi, value);
    this.#size++;
  }
}

/** The entries on the way to a table. Paths that differ only in where the tables are, are one object. */
export class TablePath {
  /** Root first. They are the first entries that were met with these flags. */
  readonly entries: readonly Words[];
  readonly #address: AddressCodec;
  #below: WordsMap<TablePath> | null = null;
  #leaves: WordsMap<JudgedLeaf> | null = null;
  #last: JudgedLeaf | null = null;
  #lastLo = 0;
  #lastHi = 0;

  constructor(address: AddressCodec, entries: readonly Words[]) {
    this.#address = address;
    this.entries = entries;
  }

  /** The path to the table that an entry points to. */
  enter(lo: number, hi: number): TablePath {
    const { lowLo, lowHi, highLo, highHi } = this.#address;
    const flagsLo = lo & ~(lowLo | highLo);
    const flagsHi = hi & ~(lowHi | highHi);
    this.#below ??= new WordsMap(MOST_PATHS);
    let path = this.#below.get(flagsLo, flagsHi);
    if (path === undefined) {
      path = new TablePath(this.#address, [...this.entries, { lo, hi }]);
      this.#below.set(flagsLo, flagsHi, path);
    }
    return path;
  }

  /** What a leaf in the table is. `find` is called once for each different leaf. */
  leaf(flagsLo: number, flagsHi: number, find: () => JudgedLeaf): JudgedLeaf {
    if (this.#last !== null && flagsLo === this.#lastLo && flagsHi === this.#lastHi) return this.#last;
    this.#leaves ??= new WordsMap(MOST_LEAVES);
    let leaf = this.#leaves.get(flagsLo, flagsHi);
    if (leaf === undefined) {
      leaf = find();
      this.#leaves.set(flagsLo, flagsHi, leaf);
    }
    this.#last = leaf;
    this.#lastLo = flagsLo;
    this.#lastHi = flagsHi;
    return leaf;
  }
}

/** Effective rights of leaves under given controls. */
export class EffectiveRights {
  /** The path to the root table. */
  readonly root: TablePath;
  readonly #format: PageTableFormat;
  readonly #controls: Controls;

  constructor(plan: Plan, controls: Controls) {
    this.#format = plan.format;
    this.#controls = controls;
    this.root = new TablePath(plan.address, []);
  }

  /** What a leaf in the table at the end of a path is. */
  of(path: TablePath, level: LevelPlan, lo: number, hi: number): JudgedLeaf {
    return path.leaf(lo & ~level.leafAddressLo, hi & ~level.leafAddressHi, () =>
      this.#judge(path, level, { lo, hi }),
    );
  }

  #judge(path: TablePath, level: LevelPlan, leaf: Words): JudgedLeaf {
    const { run } = level.level;
    const protection = this.#format.decode(leaf, level.index);
    return {
      rights: this.#rightsOf(path, level, leaf, protection),
      protection,
      attributes: this.#format.memoryAttributes?.(leaf, level.index) ?? null,
      runShift: run !== null && isInRun(run, leaf.lo, leaf.hi) ? level.runShift : null,
    };
  }

  #rightsOf(path: TablePath, level: LevelPlan, leaf: Words, protection: Protection): Rights {
    const { kernel, user } = this.#format.permissions([...path.entries, leaf], this.#controls);
    const isUser = protection.user && !this.#isTakenFromUser(path, level, leaf, user);
    const { read, write, execute } = isUser ? user : kernel;
    return RIGHTS[(read ? 1 : 0) | (write ? 2 : 0) | (execute ? 4 : 0) | (isUser ? 8 : 0)] as Rights;
  }

  /**
   * True when the tables above let user mode do nothing at all, whatever the leaf grants. The page is then the
   * kernel's, as on x86-64 below a table without U/S (SDM volume 3A, "Determination of Access Rights": an address is
   * one of user mode when U/S is 1 in all entries). A page that user mode cannot use for another reason stays a
   * user page: because of its key, or because the tables take the one right that the leaf grants, such as PTI's NX.
   */
  #isTakenFromUser(path: TablePath, { index }: LevelPlan, leaf: Words, user: Allowed): boolean {
    if (isAny(user)) return false;
    const open = path.entries.map(() => this.#format.tableEntry);
    if (!isAny(this.#format.permissions([...open, leaf], this.#controls).user)) return false;
    const readable = this.#format.encode(READABLE, index);
    return !isAny(this.#format.permissions([...path.entries, readable], this.#controls).user);
  }
}

/** A page that user mode may read. */
const READABLE: Protection = Object.freeze({
  ...{ read: true, write: false, execute: false, user: true, global: false },
  ...{ memory: 'normal', accessed: true, dirty: false, extra: 0n },
});

function isAny({ read, write, execute }: Allowed): boolean {
  return read || write || execute;
}

/** The rights under the controls of a page table. They are kept, so that a short list asks the format nothing. */
const kept = new WeakMap<TableContext, EffectiveRights>();

export function rightsOf(context: TableContext): EffectiveRights {
  let rights = kept.get(context);
  if (rights === undefined) {
    rights = new EffectiveRights(context.plan, context.controls);
    kept.set(context, rights);
  }
  return rights;
}
