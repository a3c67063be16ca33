import { TableContext } from '../state/context.js';
import { TableRecords } from '../state/table-records.js';
import type { Findings } from './finding.js';
import { type CheckedTable, ofTable } from './place.js';

/** Largest block of an allocator, as log2 of its frames. */
const MAX_ORDER = 18;

/**
 * The page table that made the tables of a root, when this thread has it: the given one, or the one behind a reader
 * such as `AddressSpace.table`. `null` for tables that nobody here made.
 */
export function makerOf(context: TableContext): TableContext | null {
  if (context.records !== null) return context;
  for (const records of TableRecords.over(context.memory)) {
    for (const one of records.watched()) {
      if (!(one instanceof TableContext) || one.isDestroyed) continue;
      const isSame = one.root.pfn === context.root.pfn && one.root.word === context.root.word;
      if (isSame && one.plan.format.name === context.plan.format.name) return one;
    }
  }
  return null;
}

/** Compares tables with what the engine has noted of them. */
export class EngineCheck {
  readonly #maker: TableContext;
  readonly #records: TableRecords;
  readonly #findings: Findings;
  readonly #owners: ReadonlySet<number>;

  constructor(maker: TableContext, findings: Findings) {
    this.#maker = maker;
    this.#records = maker.records as TableRecords;
    this.#findings = findings;
    const live = this.#records.watched().filter(({ isDestroyed }) => !isDestroyed);
    this.#owners = new Set([maker.owner, ...live.map(({ owner }) => owner)]);
  }

  /** Looks at the record of a table before its entries are read. @param above - frame of the table above; -1 for the root. */
  enter(table: CheckedTable, above: number): void {
    const { pfn, level } = table;
    const records = this.#records;
    const handle = records.find(pfn);
    const find = (kind: 'free' | 'record', text: string): void =>
      this.#findings.add(() => ofTable(this.#maker, table, kind, text));
    if (handle < 0) {
      if (above >= 0 && records.find(above) >= 0 && this.#mayHave(pfn))
        find('record', 'has no record, and the engine made the table above');
      return;
    }
    if (!this.#isHeld(pfn)) find('free', 'is in use, and the allocator says that its frame is free');
    const noted = records.levelOf(handle);
    const owner = records.ownerOf(handle);
    if (noted !== level.index) {
      const { levels } = this.#maker.plan;
      find('record', `has the record of a ${levels[noted]?.level.name ?? 'deeper'} table`);
    } else if (!this.#owners.has(owner)) find('record', `has the owner ${owner}, which is no page table`);
  }

  /** Compares the count of a table with its entries. */
  leave(table: CheckedTable, used: number): void {
    const handle = this.#records.find(table.pfn);
    if (handle < 0 || this.#records.live(handle) === used) return;
    const counted = this.#records.live(handle);
    this.#findings.add(() =>
      ofTable(this.#maker, table, 'live', `has ${used} entries, and its record counts ${counted}`),
    );
  }

  /** Finds the tables of this owner that no entry leads to. @param met - frames of those that were met. */
  orphans(met: { has(pfn: number): boolean }): void {
    const { frames, owner, owed, plan } = this.#maker;
    const records = this.#records;
    const { first, frames: count } = frames as { first: number; frames: number };
    for (let pfn = first; pfn < first + count; pfn++) {
      const handle = records.find(pfn);
      if (handle < 0 || records.ownerOf(handle) !== owner || met.has(pfn)) continue;
      // Those of a batch wait for its flush.
      if ([...owed].some((batch) => batch.awaits(pfn))) continue;
      const level = records.levelOf(handle);
      const name = plan.levels[level]?.level.name ?? `level ${level}`;
      const pa = `0x${(BigInt(pfn) << BigInt(plan.pageShift)).toString(16)}`;
      this.#findings.add(() => ({
        ...{ kind: 'orphan', va: null, bytes: 0n, level, entry: null, address: null, pfn },
        text: `no entry leads to the ${name} table at physical ${pa}`,
      }));
    }
  }

  #mayHave(pfn: number): boolean {
    const { frames } = this.#maker;
    return frames !== null && pfn >= frames.first && pfn < frames.first + frames.frames;
  }

  /** True when some allocated block holds a frame. */
  #isHeld(pfn: number): boolean {
    for (let order = 0; order <= MAX_ORDER; order++)
      if (this.#maker.frames?.isAllocated(pfn - (pfn % 2 ** order), order) === true) return true;
    return false;
  }
}
