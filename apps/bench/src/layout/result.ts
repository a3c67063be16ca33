import type { AreaSummary, LayoutRow as ComparedRow } from '@vmarea/compare';
import type { Machine } from '../machine.js';
import { type Spread, spread } from '../spread.js';

/** What `vmarea-bench layout --json` prints. Keys are documented in the app's README and stay. */
export interface LayoutResult {
  readonly command: 'layout';
  /** Increases when a key changes its meaning or is removed. */
  readonly schema: 1;
  readonly machine: Machine;
  readonly input: LayoutInput;
  readonly seed: number;
  readonly repeat: number;
  readonly rows: readonly LayoutRow[];
  readonly warnings: readonly string[];
}

/** The input of a run. */
export interface LayoutInput extends AreaSummary {
  readonly file: string;
  readonly title: string;
}

/** What is not printed: times become spreads, and areas are a list of their own. */
type Left = 'times' | 'walk' | 'places' | 'callers' | 'window' | 'rounding';

/** One configuration under one leaf policy. */
export interface LayoutRow extends Omit<ComparedRow, Left> {
  /** Time to map, in nanoseconds for each mapped base page; `null` when nothing is mapped. */
  readonly map: Spread | null;
  readonly walk: ComparedRow['walk'] & {
    /** Time to translate an address, in nanoseconds. */
    readonly ns: Spread | null;
  };
}

/** A row as it is printed. */
export function layoutRow(row: ComparedRow): LayoutRow {
  const { configuration, title, linux, leafPolicy, pageBytes, areas, mapped, leaves, tables, work } = row;
  const { checkedTranslations, leakCheck, walk, times } = row;
  return {
    ...{ configuration, title, linux, leafPolicy, pageBytes, areas, mapped, leaves, tables, work },
    map: spread(times.nsPerPage),
    walk: { ...walk, ns: spread(times.nsPerWalk) },
    ...{ checkedTranslations, leakCheck },
  };
}
