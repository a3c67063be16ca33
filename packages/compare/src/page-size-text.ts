import type { LayoutComparison } from './compare-layout.js';
import type { LayoutRow } from './layout/result.js';
import { bytesText, decimal, pageText } from './parts/text.js';

/**
 * Says what would change with pages of other sizes than those of the kernel that wrote the text: a sentence or two for each size that the
 * formats have. Each compares the cheapest row of that size with the cheapest of the kernel's own size whose name is most similar. Rows
 * are those with the leaves that Linux forms (`huge`), or all where no row has them.
 *
 * @param comparison - of several formats.
 * @returns the sentences, smallest pages first; one sentence that says why where nothing can be compared.
 * @example
 * ```ts
 * pageSizeText(await compareLayout(text, { formats: arm64Configurations }));
 * // On 16K pages (arm64-16k-47), these areas take 1.1 MiB more memory than on 4K pages (arm64-4k-48): …
 * ```
 */
export function pageSizeText({ input, rows }: Pick<LayoutComparison, 'input' | 'rows'>): string {
  const huge = rows.filter(({ leafPolicy }) => leafPolicy === 'huge');
  const all = huge.length > 0 ? huge : rows;
  const own = all.filter(({ pageBytes }) => pageBytes === input.pageBytes);
  const sizes = [...new Set(all.map(({ pageBytes }) => pageBytes))]
    .filter((bytes) => bytes !== input.pageBytes)
    .sort((a, b) => a - b);
  if (own.length === 0) return `No format here has the source’s pages of ${pageText(input.pageBytes)}.`;
  if (sizes.length === 0) return `All formats here have pages of ${pageText(input.pageBytes)}.`;
  return sizes
    .map((bytes) => {
      const there = cheapest(all.filter(({ pageBytes }) => pageBytes === bytes));
      return sentence(there, cheapest(mostSimilar(own, there.configuration)), input.pageBytes);
    })
    .join(' ');
}

function sentence(there: LayoutRow, here: LayoutRow, sourceBytes: number): string {
  const change = costOf(there) - costOf(here);
  const tables = there.tables.bytes - here.tables.bytes;
  const rounding = there.rounding.bytes - here.rounding.bytes;
  const total = change === 0 ? 'as much memory as' : `${moreOrLess(change)} memory than`;
  const walk =
    there.walk.entriesMean === null || here.walk.entriesMean === null
      ? ''
      : ` A walk reads ${decimal(there.walk.entriesMean, 2)} entries instead of ${decimal(here.walk.entriesMean, 2)}.`;
  const unknown =
    there.pageBytes < sourceBytes
      ? ` The source rounded all sizes up to ${pageText(sourceBytes)}, so what smaller pages save is not in this.`
      : '';
  return (
    `On ${pageText(there.pageBytes)} pages (${there.configuration}), these areas take ${total} on ` +
    `${pageText(here.pageBytes)} pages (${here.configuration}): ${moreOrLess(rounding)} for sizes that are rounded up, ` +
    `${moreOrLess(tables)} for page tables.${walk}${unknown}`
  );
}

function moreOrLess(bytes: number): string {
  return bytes === 0 ? 'the same' : `${bytesText(Math.abs(bytes))} ${bytes > 0 ? 'more' : 'less'}`;
}

function costOf({ rounding, tables }: LayoutRow): number {
  return rounding.bytes + tables.bytes;
}

function cheapest(rows: readonly LayoutRow[]): LayoutRow {
  return rows.reduce((a, b) => (costOf(b) < costOf(a) ? b : a));
}

/** The rows whose names begin like a name, as far as any does. */
function mostSimilar(rows: readonly LayoutRow[], name: string): LayoutRow[] {
  const common = (other: string): number => {
    let length = 0;
    while (length < name.length && name[length] === other[length]) length++;
    return length;
  };
  const most = Math.max(...rows.map(({ configuration }) => common(configuration)));
  return rows.filter(({ configuration }) => common(configuration) === most);
}
