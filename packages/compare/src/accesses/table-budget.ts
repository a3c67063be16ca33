import { VmError } from '@vmarea/core';
import { decimal } from '../parts/text.js';

/** The memory that the page tables of all rows may take together. */
export class TableBudget {
  readonly #limit: number;
  #taken = 0;

  /** @param limit - in bytes. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Takes memory for the tables of a row, before they are made.
   *
   * @param who - names the row.
   * @throws VmError `E2BIG` when too little is left.
   */
  take(bytes: number, who: string): void {
    this.#taken += bytes;
    if (this.#taken <= this.#limit) return;
    throw new VmError(
      'E2BIG',
      `${who}: its page tables take ${gib(bytes)}, those of all rows so far ${gib(this.#taken)}; a run may use ${gib(this.#limit)}`,
      { advice: 'simulate fewer formats, leaves or processors, or a part of the accesses' },
    );
  }
}

function gib(bytes: number): string {
  return `${decimal(bytes / 2 ** 30, 2)} GiB`;
}
