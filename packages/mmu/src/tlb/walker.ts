import { VmError } from '@vmarea/core';
import { type WalkRecord, type WalkSource, walkRecord } from '../walk-source.js';
import type { LineCache } from './table-cache.js';
import type { WalkCaches } from './walk-caches.js';

/**
 * The tables that are walked now. TLBs keep this object, so a switch to other tables of the same shape reaches all of them.
 *
 * @throws VmError `EINVAL` for something else.
 */
export class CurrentSource implements WalkSource {
  readonly pageShift: number;
  readonly levels: WalkSource['levels'];
  #now: WalkSource;

  constructor(source: WalkSource) {
    requireSource(source);
    this.#now = source;
    this.pageShift = source.pageShift;
    this.levels = source.levels;
  }

  /** Walks other tables from now on. @throws VmError `EINVAL` when they have other levels. */
  switchTo(source: WalkSource): void {
    requireSource(source);
    const shifts = ({ levels }: WalkSource) => levels.map(({ shift }) => shift).join();
    if (source.pageShift !== this.pageShift || shifts(source) !== shifts(this))
      throw new VmError('EINVAL', 'the tables have other levels than those of the model', {
        advice: 'make a model of its own for them',
      });
    this.#now = source;
  }

  walk(vaHi: number, vaLo: number, record: WalkRecord): boolean {
    return this.#now.walk(vaHi, vaLo, record);
  }

  groupMask(pages: number): number {
    return this.#now.groupMask(pages);
  }
}

function requireSource(source: WalkSource): void {
  if (
    typeof source?.walk !== 'function' ||
    typeof source.groupMask !== 'function' ||
    !Array.isArray(source.levels)
  )
    throw new VmError('EINVAL', 'the source is not a WalkSource', { advice: 'pass walkSource(table)' });
}

/** Walks tables through the walk caches, and counts what it reads. */
export class Walker {
  /** The last walk. */
  readonly record: WalkRecord = walkRecord();
  walks = 0;
  faults = 0;
  /** Walks that found a leaf, by log2 of its bytes. */
  readonly walksBySize: Float64Array = new Float64Array(64);
  /** Entries read, for each level of the tables. */
  readonly reads: Float64Array;
  readonly caches: WalkCaches;
  readonly lines: LineCache | null;
  readonly #source: WalkSource;
  readonly #dropsOnFault: boolean;

  constructor(source: WalkSource, caches: WalkCaches, lines: LineCache | null, dropsOnFault: boolean) {
    this.#source = source;
    this.caches = caches;
    this.lines = lines;
    this.#dropsOnFault = dropsOnFault;
    this.reads = new Float64Array(source.levels.length);
  }

  /** Walks an address. @returns whether `record` has a translation. */
  walk(vaHi: number, vaLo: number, asid: number): boolean {
    const { record, caches } = this;
    const found = this.#source.walk(vaHi, vaLo, record);
    const { levels } = record;
    const first = caches.start(vaHi, vaLo, asid, levels);
    this.walks++;
    for (let level = first; level < levels; level++) {
      (this.reads[level] as number)++;
      this.lines?.read(record.entryAddress[level] as number);
    }
    if (found) (this.walksBySize[record.leafShift] as number)++;
    else this.faults++;
    if (found || !this.#dropsOnFault) caches.fill(vaHi, vaLo, asid, first, levels);
    else caches.forget(vaHi, vaLo, asid);
    return found;
  }

  resetStats(): void {
    this.walks = 0;
    this.faults = 0;
    this.walksBySize.fill(0);
    this.reads.fill(0);
    this.caches.resetStats();
    this.lines?.resetStats();
  }
}
