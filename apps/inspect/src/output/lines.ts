import { setImmediate } from 'node:timers/promises';
import type { Sink } from '@vmarea/cli';

/** Characters that are written at once. */
const CHUNK = 32768;

/**
 * Writes lines in chunks, and lets signals and errors of the stream come through between them. So a list of any length takes no more
 * memory, and a closed pipe ends it.
 */
export class Lines {
  readonly #sink: Sink;
  #text = '';

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /**
   * Adds a line.
   *
   * @returns what to wait for before the next one; `null` for nothing.
   */
  line(text: string): Promise<void> | null {
    this.#text += `${text}\n`;
    return this.#text.length < CHUNK ? null : this.flush();
  }

  /** Writes what was added. */
  async flush(): Promise<void> {
    const text = this.#text;
    this.#text = '';
    if (text !== '') await this.write(text);
  }

  /** Writes text, or its bytes. */
  async write(text: string | Uint8Array): Promise<void> {
    const isDone = this.#sink.write(text);
    const stream = this.#sink as Sink & { once?: (event: 'drain', done: () => void) => unknown };
    if (isDone === false && stream.once !== undefined)
      await new Promise<void>((done) => stream.once?.('drain', done));
    await setImmediate();
  }
}

/** Writes a line for each row. What was written before an error stays. */
export async function printRows<Row>(
  sink: Sink,
  rows: Iterable<Row>,
  lineOf: (row: Row) => string,
): Promise<void> {
  const lines = new Lines(sink);
  try {
    for (const row of rows) {
      const wait = lines.line(lineOf(row));
      if (wait !== null) await wait;
    }
  } finally {
    await lines.flush();
  }
}
