/** What `checkTables` can find. */
export type TableFindingKind =
  | 'reserved'
  | 'address-size'
  | 'no-bytes'
  | 'again'
  | 'loop'
  | 'run'
  | 'free'
  | 'record'
  | 'live'
  | 'orphan'
  | 'mapped';

/** One thing that is wrong with page tables, or that only some kernels mean. */
export interface TableFinding {
  /**
   * About an entry:
   *
   * - `reserved`: it is present, but is neither a table nor a leaf, or breaks a rule of the manual. An access faults.
   * - `address-size`: it names a physical address above the width that the format has.
   * - `run`: it is marked as part of a contiguous or NAPOT run, and the run is not whole: a leaf of it is missing,
   *   has no mark, other flags (but for accessed and dirty) or another frame than the next one.
   *
   * About a table:
   *
   * - `no-bytes`: the memory has no bytes of it.
   * - `again`: another entry points to it, too. Kernels share tables on purpose: see what the other address is.
   * - `loop`: it is on its own way from the root.
   * - `free`: the engine made it, and the allocator says that its frame is free.
   * - `record`: the engine made the table above it, and has no record of this one, or one of another level, or one of
   *   an owner that is no page table.
   * - `live`: its record counts other entries than it has.
   * - `orphan`: this page table made it, and no entry leads to it. Its frame is lost.
   * - `mapped`: a leaf maps its frame and may write. Linear maps of all memory do that.
   */
  readonly kind: TableFindingKind;
  /**
   * First address that is concerned, in bytes: of what the entry or the table translates; for `mapped`, of the page
   * at which the table is mapped. `null` for an orphan.
   */
  readonly va: bigint | null;
  /** Length of that, in bytes; 0n for an orphan. */
  readonly bytes: bigint;
  /** Level of the entry, or of the table: an index into `format.levels`. */
  readonly level: number;
  /** The entry; for a finding about a table, the one that points to it, and for `mapped` the leaf. `null` for the root and for orphans. */
  readonly entry: bigint | null;
  /** Physical address of that entry, in bytes. */
  readonly address: bigint | null;
  /** The frame that the entry names, or that the table is in, in base pages. */
  readonly pfn: number;
  /** What is wrong, as a sentence for people. */
  readonly text: string;
}

/** Findings as they are met. Only so many are kept, all are counted. */
export class Findings {
  total = 0;
  readonly #most: number;
  readonly #kept: TableFinding[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  /** @param make - makes the finding, when it is kept. */
  add(make: () => TableFinding): void {
    if (this.total < this.#most) this.#kept.push(Object.freeze(make()));
    this.total++;
  }

  /**
   * Adds findings of one kind at once. Those that are not kept cost nothing: one leaf may map every table.
   *
   * @param make - makes the finding of an index, when it is kept.
   */
  addMany(count: number, make: (index: number) => TableFinding): void {
    const room = Math.min(count, Math.max(0, this.#most - this.total));
    for (let i = 0; i < room; i++) this.#kept.push(Object.freeze(make(i)));
    this.total += count;
  }

  /** Those that were kept, by address, upper tables first. Orphans come last, by frame. */
  sorted(): readonly TableFinding[] {
    return Object.freeze(this.#kept.sort(order));
  }
}

function order(a: TableFinding, b: TableFinding): number {
  if (a.va === null || b.va === null) return Number(a.va === null) - Number(b.va === null) || a.pfn - b.pfn;
  if (a.va !== b.va) return a.va < b.va ? -1 : 1;
  return a.level - b.level;
}
