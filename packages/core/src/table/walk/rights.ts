import type { AddressCodec } from '../../address-codec.js';
import type { Allowed, Controls } from '../../format/access.js';
import type { PageTableFormat } from '../../format/page-table-format.js';
import type { LevelPlan, Plan } from '../../format/plan.js';
import type { Words } from '../../words.js';

/**
 * What all levels together allow the side (user or kernel) that a page belongs to. Equal rights are one
 * object.
 */
export interface Rights {
  /** 0 to 15: bits for read, write, execute, user. */
  readonly index: number;
  readonly read: boolean;
  readonly write: boolean;
  readonly execute: boolean;
  /** The page belongs to user mode. */
  readonly user: boolean;
}

const RIGHTS: readonly Rights[] = Array.from({ length: 16 }, (_, index) =>
  Object.freeze({
    index,
    read: (index & 1) !== 0,
    write: (index & 2) !== 0,
    execute: (index & 4) !== 0,
    user: (index & 8) !== 0,
  }),
);

/** Values by two words, so that a look-up makes no key. */
class WordsMap<T> {
  readonly #byLow = new Map<number, Map<number, T>>();

  get(lo: number, hi: number): T | undefined {
    return this.#byLow.get(lo)?.get(hi);
  }

  set(lo: number, hi: number, value: T): void {
    let byHigh = this.#byLow.get(lo);
    if (byHigh === undefined) {
      byHigh = new Map();
      this.#byLow.set(lo, byHigh);
    }
    byHigh.set(hi, value);
  }
}

/** The entries on the way to a table. Paths that differ only in where the tables are, are one object. */
export class TablePath {
  /** Root first. They are the first entries that were met with these flags. */
  readonly entries: readonly Words[];
  readonly #address: AddressCodec;
  readonly #below = new WordsMap<TablePath>();
  readonly #rights = new WordsMap<Rights>();

  constructor(address: AddressCodec, entries: readonly Words[]) {
    this.#address = address;
    this.entries = entries;
  }

  /** The path to the table that an entry points to. */
  enter(lo: number, hi: number): TablePath {
    const { lowLo, lowHi, highLo, highHi } = this.#address;
    const flagsLo = lo & ~(lowLo | highLo);
    const flagsHi = hi & ~(lowHi | highHi);
    let path = this.#below.get(flagsLo, flagsHi);
    if (path === undefined) {
      path = new TablePath(this.#address, [...this.entries, { lo, hi }]);
      this.#below.set(flagsLo, flagsHi, path);
    }
    return path;
  }

  /** What a leaf in the table allows. `find` is called once for each different leaf. */
  rights(flagsLo: number, flagsHi: number, find: () => Rights): Rights {
    let rights = this.#rights.get(flagsLo, flagsHi);
    if (rights === undefined) {
      rights = find();
      this.#rights.set(flagsLo, flagsHi, rights);
    }
    return rights;
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

  /** The rights of a leaf in the table at the end of a path. */
  of(path: TablePath, level: LevelPlan, lo: number, hi: number): Rights {
    return path.rights(lo & ~level.leafAddressLo, hi & ~level.leafAddressHi, () =>
      this.#find(path, level, { lo, hi }),
    );
  }

  #find(path: TablePath, level: LevelPlan, leaf: Words): Rights {
    const { kernel, user } = this.#format.permissions([...path.entries, leaf], this.#controls);
    const isUser = this.#format.decode(leaf, level.index).user && !this.#isTakenFromUser(path, leaf, user);
    const { read, write, execute } = isUser ? user : kernel;
    return RIGHTS[(read ? 1 : 0) | (write ? 2 : 0) | (execute ? 4 : 0) | (isUser ? 8 : 0)] as Rights;
  }

  /**
   * True when the tables above take from user mode all that the leaf grants it. The page is then the
   * kernel's, as on x86-64 below a table without U/S. A page that user mode cannot use for another reason,
   * such as its key, stays a user page.
   */
  #isTakenFromUser(path: TablePath, leaf: Words, user: Allowed): boolean {
    if (isAny(user)) return false;
    const open = path.entries.map(() => this.#format.tableEntry);
    return isAny(this.#format.permissions([...open, leaf], this.#controls).user);
  }
}

function isAny({ read, write, execute }: Allowed): boolean {
  return read || write || execute;
}
