/** How the entries of a table are laid out as cells. */
export interface GridLayout {
  readonly columns: number;
  readonly rows: number;
  /** Pixels from one cell to the next. */
  readonly pitch: number;
  readonly width: number;
  readonly height: number;
}

/** Cells are no larger and, where there is room, no smaller. Pixels. */
const LARGEST = 26;
const SMALLEST = 5;

/**
 * Lays out a table: as wide as it is high or wider, in powers of two, so that a row is a round number of addresses.
 *
 * @param entries - a power of two.
 * @param width - pixels that there are.
 */
export function gridLayout(entries: number, width: number): GridLayout {
  let columns = 2 ** Math.ceil(Math.log2(entries) / 2);
  while (columns > 8 && width / columns < SMALLEST) columns /= 2;
  const pitch = Math.max(2, Math.min(LARGEST, Math.floor(width / columns)));
  const rows = Math.ceil(entries / columns);
  return { columns, rows, pitch, width: columns * pitch, height: rows * pitch };
}

/** The cell at a place; `null` outside. */
export function cellAt({ columns, rows, pitch }: GridLayout, x: number, y: number): number | null {
  const column = Math.floor(x / pitch);
  const row = Math.floor(y / pitch);
  if (column < 0 || column >= columns || row < 0 || row >= rows) return null;
  return row * columns + column;
}

/** The cell that a key moves to; `null` for a key that moves nothing. */
export function cellAfter(
  { columns }: GridLayout,
  entries: number,
  cell: number,
  key: string,
): number | null {
  const last = entries - 1;
  const steps: Readonly<Record<string, number>> = {
    ArrowLeft: cell - 1,
    ArrowRight: cell + 1,
    ArrowUp: cell - columns,
    ArrowDown: cell + columns,
    PageUp: cell - 8 * columns,
    PageDown: cell + 8 * columns,
    Home: 0,
    End: last,
  };
  const to = steps[key];
  if (to === undefined) return null;
  // A step up or down stays in its column.
  if ((key === 'ArrowUp' || key === 'ArrowDown') && (to < 0 || to > last)) return cell;
  return Math.max(0, Math.min(last, to));
}
