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
    (row) => html`<tr>${columns.map(({ align, cell }) => html`<td${classOf(align)}>${cell(row)}`)}
`,
  );
  return html`<div class="wide" tabindex="0" role="region" aria-label="${title}"><table><caption>${title}</caption><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}

function classOf(align: Column<unknown>['align']): Markup {
  return align === 'left' ? html` class="l"` : html``;
}

/** Sorts tables: numbers by value, all else as text. It is put into pages as it is. */
export const SORTING: string = `
const value = (cell) => {
  const text = cell.textContent.trim();
  const number = Number(text.replace(/[,%]/g, '').split(' ')[0]);
  return text === '–' ? -1 : Number.isNaN(number) ? text : number;
};
for (const table of document.querySelectorAll('table')) {
  table.querySelectorAll('th').forEach((head, at) => head.firstElementChild.addEventListener('click', () => {
    const up = head.getAttribute('aria-sort') !== 'ascending';
    for (const other of table.querySelectorAll('th')) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
    const body = table.tBodies[0];
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [value(a.cells[at]), value(b.cells[at])];
      return (up ? 1 : -1) * (typeof x === typeof y ? (x < y ? -1 : x > y ? 1 : 0) : typeof x === 'number' ? -1 : 1);
    });
    body.append(...rows);
  }));
}`;
