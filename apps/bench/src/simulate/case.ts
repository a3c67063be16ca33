import type { Configuration, PageTableFormat } from '@vmarea/core';
import { CHAMPSIM_WALK_CACHES, type TlbDescription, TlbModel, type WalkSource } from '@vmarea/mmu';
import type { LeafChoice } from './backing/leaf-choice.js';
import type { LeafCount } from './backing/leaf-count.js';
import type { Relocation } from './backing/relocation.js';
import type { PageAccesses } from './page-stream.js';
import { reachOf } from './reach.js';
import type { SimulateRow, WalkCacheChoice } from './result.js';
import { KINDS } from './trace/access-batch.js';

/** Page tables with the pages of a program. */
export interface Backing {
  readonly configuration: Configuration;
  /** The format of a process's addresses. */
  readonly format: PageTableFormat;
  readonly leafChoice: LeafChoice | 'own';
  readonly source: WalkSource;
  /** Moves addresses that the format does not translate; `null`: none are moved. */
  readonly relocation: Relocation | null;
  /** Which pages exist; `null`: all. */
  readonly isMapped: ((hi: number, lo: number) => boolean) | null;
  /** What the tables are now. */
  state(): { readonly leaves: readonly LeafCount[]; readonly tables: number };
  /** Checks what the run left, and takes the tables down. */
  close(touchedPages: number): void;
}

/** What a case is given besides. */
export interface CaseOptions {
  readonly seed: number;
  readonly walkCaches: WalkCacheChoice;
  /** Whether an entry holds a whole run where the preset does not say it. */
  readonly assumeRuns: boolean;
}

/** One backing on one processor. */
export class Case {
  readonly backing: Backing;
  readonly preset: TlbDescription;
  readonly #model: TlbModel;
  readonly #assumeRuns: boolean;
  readonly #moments: { accesses: number; walks: number }[] = [];

  constructor(backing: Backing, preset: TlbDescription, { seed, walkCaches, assumeRuns }: CaseOptions) {
    this.backing = backing;
    this.preset = preset;
    this.#assumeRuns = assumeRuns;
    const assume = {
      runs: assumeRuns,
      ...(walkCaches === 'champsim' ? { walkCaches: CHAMPSIM_WALK_CACHES } : {}),
    };
    this.#model = new TlbModel(preset, backing.source, { seed, assume });
  }

  /** Simulates accesses. */
  feed({ length, kind, hi, lo }: PageAccesses): void {
    const model = this.#model;
    for (let i = 0; i < length; i++)
      model.access(KINDS[kind[i] as number] as (typeof KINDS)[number], hi[i] as number, lo[i] as number);
  }

  /** Notes how far it is. @param accesses - all so far. */
  moment(accesses: number): void {
    this.#moments.push({ accesses, walks: this.#model.stats.walks });
  }

  /**
   * The result.
   *
   * @param accesses - all by kind, also those that were left out as repeated: each is a hit in the first level.
   */
  row(accesses: ArrayLike<number>, unmapped: number, touchedPages: number): SimulateRow {
    const { backing, preset } = this;
    const { stats } = this.#model;
    const { leaves, tables } = backing.state();
    const all = KINDS.map((_kind, i) => accesses[i] ?? 0);
    const total = all.reduce((sum, number) => sum + number, 0);
    const repeated = KINDS.map((kind, i) => (all[i] as number) - stats.accessesByKind[kind]);
    const { configuration, format } = backing;
    const pageBytes = 2 ** format.pageShift;
    return {
      ...{ configuration: configuration.name, title: configuration.title, pageBytes },
      ...{ leaves: backing.leafChoice, preset: preset.name },
      accesses: { total, fetches: all[0] ?? 0, loads: all[1] ?? 0, stores: all[2] ?? 0, unmapped },
      movedPieces: backing.relocation?.beyond ?? 0,
      touchedPages,
      mapped: { bytes: leaves.reduce((sum, leaf) => sum + leaf.bytes * leaf.count, 0), leaves },
      tables: { frames: tables, bytes: tables * pageBytes },
      reach: reachOf(preset, leaves, this.#assumeRuns),
      tlbs: stats.tlbs.map(({ name, level, hits, misses }, i) => {
        const kinds = preset.tlbs[i]?.kinds ?? [];
        const more =
          level === 1 ? KINDS.map((kind, k) => (kinds.includes(kind) ? (repeated[k] as number) : 0)) : [];
        return {
          ...{ name, level, kinds, hits: more.reduce((sum, number) => sum + number, hits), misses },
          missesPerThousand: total === 0 ? 0 : (1000 * misses) / total,
        };
      }),
      walks: stats.walks,
      tableReads: {
        total: stats.tableReads,
        levels: stats.levels.map(({ name, reads, walkCacheHits }) => ({ name, reads, walkCacheHits })),
      },
      walkCacheHits: stats.walkCaches.reduce((sum, { hits }) => sum + hits, 0),
      cycles: stats.cycles,
      assumptions: this.#model.assumptions,
      moments: this.#moments,
    };
  }
}
