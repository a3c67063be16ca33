import { describeEntry, type EntryField } from '../../format/describe.js';
import type { PageTableFormat } from '../../format/page-table-format.js';

/** Most texts that are kept of one level. */
const MOST = 4096;

/**
 * The bits of entries as one text: the names of those that are set. The address has no place in it, since lines have
 * it already.
 *
 * A wider field has its value: `AttrIndx=4`. Bits without a name have their range: `reserved[20:13]=1`.
 */
export class BitsText {
  readonly #format: PageTableFormat;
  readonly #known: readonly Map<bigint, string>[];

  constructor(format: PageTableFormat) {
    this.#format = format;
    this.#known = format.levels.map(() => new Map());
  }

  of(entry: bigint, level: number): string {
    const known = this.#known[level] as Map<bigint, string>;
    let text = known.get(entry);
    if (text === undefined) {
      const { fields } = describeEntry(this.#format, entry, level);
      text = fields
        .filter(({ paBit, value }) => paBit === null && value !== 0n)
        .map(bitText)
        .join(' ');
      if (known.size >= MOST) known.clear();
      known.set(entry, text);
    }
    return text;
  }
}

function bitText({ name, low, width, value }: EntryField): string {
  const isUnnamed = name === 'reserved' || name === 'ignored';
  const range = width === 1 ? `${low}` : `${low + width - 1}:${low}`;
  const what = isUnnamed ? `${name}[${range}]` : name.replaceAll(' ', '-');
  return width === 1 ? what : `${what}=${value < 10n ? value : `0x${value.toString(16)}`}`;
}
