import type { Column } from '@vmarea/cli';
import { html, type Markup } from './markup.js';

/** A table as in the terminal. A click on a head sorts by it. */
export function htmlTable<Row>(title: string, columns: readonly Column<Row>[], rows: readonly Row[]): Markup {
  const head = columns.map(
    ({ head: name, align }) =>
      html`<th scope="col"${classOf(align)}><button type="button">${name}</button></th>`,
  );
  const body = rows.map(
    // HTML ends a cell and a row by what comes next. A page has thousands of cells.
    (
      row,
    ) => html`<tr>${columns.map(({ align, cell }) => html`<td${classOf(align)}${sortValue(cell(row))}>${cell(row)}`)}
`,
  );
  return html`<div class="wide" tabindex="0" role="region" aria-label="${title}"><table><caption>${title}</caption><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}

function classOf(align: Column<unknown>['align']): Markup {
  return align === 'left' ? html` class="l"` : html``;
}

/** Bytes of the units in cells: `16 MiB`, `4K`. */
const UNITS: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/**
 * What a cell sorts by, where that is not its text: a number, in bytes where it has a unit of them. An empty value is unknown.
 * A plain number needs none: a page has thousands of cells.
 */
function sortValue(text: string): Markup {
  const plain = text.trim();
  if (plain === '' || plain === '–' || plain === 'n/a') return html` data-v`;
  const [, digits = '', unit = ''] = /^([\d,]+(?:\.\d+)?) ?([KMGT])(?:iB)?$/.exec(plain) ?? [];
  return digits === '' ? html`` : html` data-v="${Number(digits.replaceAll(',', '')) * (UNITS[unit] ?? 1)}"`;
}

/** Sorts tables: numbers by value, all else as text, and unknown values last. It is put into pages as it is. */
export const SORTING: string = `
const value = (cell) => {
  const text = cell.dataset.v ?? cell.textContent.trim();
  const number = Number(text.replace(/[,%]/g, '').split(' ')[0]);
  return text === '' ? null : Number.isNaN(number) ? text : number;
};
for (const table of document.querySelectorAll('table')) {
  table.querySelectorAll('th').forEach((head, at) => head.firstElementChild.addEventListener('click', () => {
    const up = head.getAttribute('aria-sort') !== 'ascending';
    for (const other of table.querySelectorAll('th')) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
    const body = table.tBodies[0];
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [value(a.cells[at]), value(b.cells[at])];
      if (x === null || y === null) return (x === null) - (y === null);
      return (up ? 1 : -1) * (typeof x === typeof y ? (x < y ? -1 : x > y ? 1 : 0) : typeof x === 'number' ? -1 : 1);
    });
    body.append(...rows);
  }));
}`;
