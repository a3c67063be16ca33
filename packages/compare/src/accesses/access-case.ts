import { CHAMPSIM_WALK_CACHES, type TlbDescription, TlbModel } from '@vmarea/mmu';
import { ACCESS_KINDS } from './access-batch.js';
import type { AccessRow, WalkCacheChoice } from './access-row.js';
import type { AccessBacking } from './backing.js';
import type { PageAccesses } from './page-stream.js';
import { reachOf } from './reach.js';

/** What a case is given besides. */
export interface AccessCaseOptions {
  readonly seed: number;
  readonly walkCaches: WalkCacheChoice;
  /** Whether an entry holds a whole run where the preset does not say it. */
  readonly assumeRuns: boolean;
}

/** One backing on one processor. */
export class AccessCase {
  readonly backing: AccessBacking;
  readonly preset: TlbDescription;
  readonly #model: TlbModel;
  readonly #assumeRuns: boolean;
  readonly #moments: { accesses: number; walks: number }[] = [];

  constructor(
    backing: AccessBacking,
    preset: TlbDescription,
    { seed, walkCaches, assumeRuns }: AccessCaseOptions,
  ) {
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
      model.access(
        ACCESS_KINDS[kind[i] as number] as (typeof ACCESS_KINDS)[number],
        hi[i] as number,
        lo[i] as number,
      );
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
  row(accesses: ArrayLike<number>, unmapped: number, touchedPages: number): AccessRow {
    const { backing, preset } = this;
    const { stats } = this.#model;
    const { leaves, tables } = backing.state();
    const all = ACCESS_KINDS.map((_kind, i) => accesses[i] ?? 0);
    const total = all.reduce((sum, number) => sum + number, 0);
    const repeated = ACCESS_KINDS.map((kind, i) => (all[i] as number) - stats.accessesByKind[kind]);
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
          level === 1
            ? ACCESS_KINDS.map((kind, k) => (kinds.includes(kind) ? (repeated[k] as number) : 0))
            : [];
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
