import { type Bank, type PageTableReader, type PhysicalMemory, planOf } from '@vmarea/core';

/** The entries of one table. */
export function readTable(
  memory: PhysicalMemory,
  table: PageTableReader,
  level: number,
  pa: bigint,
): BigUint64Array<ArrayBuffer> {
  const { pageShift } = table.format;
  const size = 2 ** (table.format.levels[level]?.bits ?? 0);
  const entries = new BigUint64Array(size);
  const words = new Int32Array(entries.buffer);
  const wordsInFrame = 2 ** (pageShift - 2);
  // The root may begin inside a frame, or take several.
  for (let done = 0; done < words.length; ) {
    const at = Number(pa) + 4 * done;
    const pfn = Math.floor(at / 2 ** pageShift);
    const inside = (at % 2 ** pageShift) / 4;
    const { bank, word } = memory.locate(pfn, pageShift) as { readonly bank: Bank; readonly word: number };
    const count = Math.min(words.length - done, wordsInFrame - inside);
    words.set(bank.words.subarray(word + inside, word + inside + count), done);
    done += count;
  }
  return entries;
}

/** True when the memory has the table that an entry points to. */
export function hasTable(memory: PhysicalMemory, { format }: PageTableReader, entry: bigint): boolean {
  return memory.bankOf(childFrame(format, entry), format.pageShift) !== null;
}

/** The frame of the table that an entry points to. */
export function childFrame(format: PageTableReader['format'], entry: bigint): number {
  const { pageShift } = planOf(format);
  const pa = format.address.reduce(
    (all, { entryBit, paBit, width }) =>
      all | (((entry >> BigInt(entryBit)) & ((1n << BigInt(width)) - 1n)) << BigInt(paBit)),
    0n,
  );
  return Number(pa >> BigInt(pageShift));
}
