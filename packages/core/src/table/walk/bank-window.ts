import { addressHi, addressLo } from '../../address-codec.js';
import type { Plan } from '../../format/plan.js';
import type { BankSpan } from '../../loops/run-loops.js';

/** First frame of the smallest aligned window around a bank, and log2 of its frames. */
function windowOf(plan: Plan, bank: BankSpan): { first: number; frameBits: number } {
  const first = Number(bank.base >> BigInt(plan.pageShift));
  const last = first + Math.max(1, Math.floor(bank.bytes / 2 ** plan.pageShift)) - 1;
  let frameBits = 0;
  while (Math.floor(first / 2 ** frameBits) !== Math.floor(last / 2 ** frameBits)) frameBits++;
  return { first, frameBits };
}

/**
 * True when the entries of a root can be walked as words of one bank. The low bits of a table's address,
 * rotated, are then the index of its first word.
 */
export function isWalkable(plan: Plan, bank: BankSpan): boolean {
  const { pageShift, format } = plan;
  return (
    bank.linear &&
    bank.bytes >= 2 ** pageShift &&
    format.range.bits >= 32 &&
    bank.base % BigInt(2 ** pageShift) === 0n &&
    // A word's index has 32 bits in the window and 31 in the bank: 8 GiB.
    bank.bytes < 2 ** 33 &&
    windowOf(plan, bank).frameBits + pageShift - 2 <= 32
  );
}

/** The highest word index at which a whole table fits into a bank. */
export function lastTableWord({ pageWords }: Plan, bank: BankSpan): number {
  return bank.bytes / 4 - pageWords;
}

/**
 * Which bits of a table entry give the word of a bank where its table starts, and which tell that it is in
 * the window.
 */
export interface TableWindow {
  /** Entry bits of a frame inside the window, and their rotation to a word index. */
  readonly insideLo: number;
  readonly insideHi: number;
  readonly rotate: number;
  /** Words from the start of the window to the bank. */
  readonly offset: number;
  /** Address bits above the window, and their value. */
  readonly aboveLo: number;
  readonly aboveHi: number;
  readonly valueLo: number;
  readonly valueHi: number;
}

/** The window of a bank in a format's table entries. */
export function tableWindow(plan: Plan, bank: BankSpan): TableWindow {
  const { address, pageShift } = plan;
  const { first, frameBits } = windowOf(plan, bank);
  const wordShift = pageShift - 2;
  const high = Math.floor(first / 4294967296);
  const insideLo = addressLo(address, 2 ** frameBits - 1, 0) | 0;
  const insideHi = addressHi(address, 2 ** frameBits - 1, 0) | 0;
  const aboveLo = (address.lowLo | address.highLo) & ~insideLo;
  const aboveHi = (address.lowHi | address.highHi) & ~insideHi;
  return {
    insideLo,
    insideHi,
    rotate: (address.lowRotate - wordShift) & 31,
    offset: ((first % 2 ** frameBits) * 2 ** wordShift) | 0,
    aboveLo,
    aboveHi,
    valueLo: addressLo(address, first | 0, high) & aboveLo,
    valueHi: addressHi(address, first | 0, high) & aboveHi,
  };
}
