import type { StaleRun } from './stale-run.js';

/** Addresses whose old translations, or the walk to them, some processor may have cached. */
export interface StaleWindow {
  /** `lazy` while their flush is left to the next purge; else `open`. */
  readonly class: 'open' | 'lazy';
  /** What is old: leaves, an entry that pointed to a table, or that nothing was present. */
  readonly kind: 'leaf' | 'table' | 'none';
  /** First address, in bytes. */
  readonly va: bigint;
  readonly bytes: bigint;
  readonly asid: number;
  /** Processors that may have it, ascending. */
  readonly processors: readonly number[];
  /** The event at which the tables changed. */
  readonly changedAt: number;
  /** The event at which a flush was requested that is not done everywhere; 0 for none. */
  readonly requestedAt: number;
}

export function windowOf(run: StaleRun): StaleWindow {
  const { root, kind, page, changedAt } = run.parts;
  const { requestedAt } = run;
  return {
    class: run.owedTo === 'purge' && requestedAt === 0 ? 'lazy' : 'open',
    ...{ kind, changedAt, requestedAt, asid: root.asid },
    va: root.address(page),
    bytes: root.address(run.end - page),
    processors: [...run.waiting].sort((a, b) => a - b),
  };
}
