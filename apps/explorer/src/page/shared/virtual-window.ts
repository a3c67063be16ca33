/** Browsers give up on elements that are taller: Firefox at 17.9 million pixels. */
const TALLEST = 8_000_000;

/** Which rows of a long list are drawn, and where. */
export interface VirtualWindow {
  /** Height of the whole list in pixels, at most 8 million. */
  readonly height: number;
  /** The first row that is drawn. */
  readonly first: number;
  /** Number of rows that are drawn. */
  readonly count: number;
  /** Distance of the first row from the top of the list, in pixels. */
  readonly offset: number;
}

/** Rows beyond the edges, so that a small scroll shows no gap. */
const MARGIN = 6;

/**
 * Says which rows are drawn. A list that would be taller than a browser allows is scrolled in larger steps: its scroll bar stands for
 * a share of the rows.
 */
export function virtualWindow(
  rows: number,
  rowHeight: number,
  viewHeight: number,
  scrollTop: number,
): VirtualWindow {
  const full = rows * rowHeight;
  const height = Math.min(full, TALLEST);
  const most = Math.max(0, height - viewHeight);
  const at = Math.min(Math.max(0, scrollTop), most);
  // Where the view begins in the whole list.
  const from = most === 0 ? 0 : (at / most) * (full - viewHeight);
  const visible = Math.ceil(viewHeight / rowHeight) + 1;
  const first = Math.max(0, Math.min(Math.floor(from / rowHeight) - MARGIN, rows));
  const count = Math.max(0, Math.min(visible + 2 * MARGIN, rows - first));
  return { height, first, count, offset: at + first * rowHeight - from };
}

/** Where to scroll so that a row is seen. */
export function scrollTo(row: number, rows: number, rowHeight: number, viewHeight: number): number {
  const full = rows * rowHeight;
  const most = Math.max(0, Math.min(full, TALLEST) - viewHeight);
  const from = Math.min(Math.max(0, row * rowHeight - viewHeight / 2), Math.max(0, full - viewHeight));
  return full <= viewHeight ? 0 : (from / (full - viewHeight)) * most;
}
