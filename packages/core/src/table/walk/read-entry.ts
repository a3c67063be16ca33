import type { EntryWords } from '../../loops/run-loops.js';
import type { Bank } from '../../memory/bank.js';
import type { Words } from '../../words.js';

/** Reads one entry, on shared memory as one atomic. */
export function readEntry({ atomic, words }: Bank, at: number): Words {
  return atomic === null
    ? { lo: words[at] as number, hi: words[at + 1] as number }
    : { lo: atomic.load64(at), hi: atomic.high };
}

/** Where the entries of a table are read. */
export interface TableEntries {
  readonly bank: EntryWords;
  /** Index in `bank.words` of the low word of slot 0. */
  readonly word: number;
}

/**
 * The entries of a table from one slot up to another, for a loop over them. On shared memory it is a private
 * copy, in which each entry was read as one atomic. So such a loop is the same for both, without a question at
 * each entry.
 *
 * @param word - index in `bank.words` of the low word of slot 0.
 */
export function tableEntries(bank: Bank, word: number, first: number, end: number): TableEntries {
  const { atomic } = bank;
  if (atomic === null) return { bank, word };
  const words = new Int32Array(2 * Math.max(0, end - first));
  for (let i = 0; i < words.length; i += 2) {
    words[i] = atomic.load64(word + 2 * first + i);
    words[i + 1] = atomic.high;
  }
  return { bank: { words }, word: -2 * first };
}
