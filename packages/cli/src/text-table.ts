import { stripVTControlCharacters } from 'node:util';
import Table from 'cli-table3';

/** A column of a table: its head, its alignment and its cells. */
export interface Column<Row> {
  readonly head: string;
  readonly align: 'left' | 'right';
  readonly cell: (row: Row) => string;
}

/** A table without a frame: two spaces between columns, a line under the head. */
export function textTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const none = {
    top: '',
    'top-mid': '',
    'top-left': '',
    'top-right': '',
    bottom: '',
    'bottom-mid': '',
    'bottom-left': '',
    'bottom-right': '',
    left: '',
    'left-mid': '',
    mid: '',
    'mid-mid': '',
    right: '',
    'right-mid': '',
    middle: '  ',
  };
  const table = new Table({
    chars: none,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
    head: columns.map((column) => column.head),
    colAligns: columns.map((column) => column.align),
  });
  for (const row of rows) table.push(columns.map((column) => column.cell(row)));
  const [head = '', ...body] = table.toString().split('\n');
  const width = Math.max(...[head, ...body].map((line) => stripVTControlCharacters(line).length));
  return [head, '─'.repeat(width), ...body].map((line) => line.trimEnd()).join('\n');
}

/**
 * One table if it fits the width, else one table for each group of columns. Every table has the key columns.
 */
export function fittedTables<Row>(
  keys: readonly Column<Row>[],
  groups: readonly (readonly Column<Row>[])[],
  rows: readonly Row[],
  width: number,
): string[] {
  const whole = textTable([...keys, ...groups.flat()], rows);
  if (widthOfText(whole) <= width) return [whole];
  return groups.map((group) => textTable([...keys, ...group], rows));
}

/** A table in GitHub's Markdown. */
export function markdownTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    line(columns.map(({ head }) => head)),
    line(columns.map(({ align }) => (align === 'right' ? '---:' : '---'))),
    ...rows.map((row) => line(columns.map(({ cell }) => cell(row).replaceAll('|', '\\|')))),
  ].join('\n');
}

/** The width of a text's longest line on a terminal. */
function widthOfText(text: string): number {
  return Math.max(...text.split('\n').map((line) => stripVTControlCharacters(line).length));
}

/** Breaks a paragraph at spaces. All lines but the first start with `indent`. */
export function wrap(text: string, width: number, indent = ''): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (
      line !== '' &&
      stripVTControlCharacters(line).length + 1 + stripVTControlCharacters(word).length > width
    ) {
      lines.push(line);
      line = indent + word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].join('\n');
}
