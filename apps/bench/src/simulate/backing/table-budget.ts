import { decimal, UsageError } from '@vmarea/cli';

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
   * @throws UsageError when too little is left.
   */
  take(bytes: number, who: string): void {
    this.#taken += bytes;
    if (this.#taken <= this.#limit) return;
    throw new UsageError(
      `${who}: its page tables take ${gib(bytes)}, those of all rows so far ${gib(this.#taken)}; a run may use ${gib(this.#limit)}, half of this ` +
        "machine's memory. Fewer rows need less (--format, --leaves, --preset), and so does a part of the trace",
    );
  }
}

function gib(bytes: number): string {
  return `${decimal(bytes / 2 ** 30, 2)} GiB`;
}
