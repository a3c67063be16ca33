import type { LayoutRow } from '@vmarea/compare';

/** Columns by which rows are sorted. */
export type SortKey = 'configuration' | 'leafPolicy' | 'tables' | 'rounding' | 'both' | 'walk';

/** The columns that sort, with their heads. */
export const COLUMNS: readonly { readonly key: SortKey; readonly name: string }[] = [
  { key: 'configuration', name: 'format' },
  { key: 'leafPolicy', name: 'leaves' },
  { key: 'both', name: 'tables and rounding' },
  { key: 'tables', name: 'tables' },
  { key: 'rounding', name: 'rounding' },
  { key: 'walk', name: 'walk' },
];

/** A row of the chart. */
export interface ChartRow {
  readonly row: LayoutRow;
  readonly tables: number;
  readonly rounding: number;
  readonly both: number;
  readonly walk: number;
}

/** Rows as numbers, sorted. Equal ones keep their order. */
export function sortedRows(rows: readonly LayoutRow[], key: SortKey, isDown: boolean): ChartRow[] {
  const list = rows.map((row) => ({
    row,
    tables: row.tables.bytes,
    rounding: row.rounding.bytes,
    both: row.tables.bytes + row.rounding.bytes,
    walk: row.walk.entriesMean ?? 0,
  }));
  const order = (a: ChartRow, b: ChartRow): number =>
    key === 'configuration' || key === 'leafPolicy' ? a.row[key].localeCompare(b.row[key]) : a[key] - b[key];
  return list.sort((a, b) => (isDown ? order(b, a) : order(a, b)));
}

/** Families of formats, for colours: the name up to its second part. */
export function familyOf(configuration: string): string {
  return configuration.split('-')[0] ?? configuration;
}
