import type { AccessBatch } from './access-batch.js';
import { PageStream } from './page-stream.js';
import { TouchedPages } from './touched-pages.js';

/** log2 of the bytes of the smallest page. */
const SMALLEST_SHIFT = 12;

/** The first look at accesses: how many there are, and which pages they touch. Page tables are made by it. */
export class AccessSurvey {
  /** The pages that they touch. */
  readonly touched: TouchedPages = new TouchedPages();
  /** Accesses so far, each once. */
  accesses = 0;
  readonly #stream = new PageStream({ pageShift: SMALLEST_SHIFT, isCollapsed: true });

  /**
   * Takes a batch.
   *
   * @throws VmError `E2BIG` when they touch more than it can hold.
   */
  add(batch: AccessBatch): void {
    const { out } = this.#stream;
    this.accesses += batch.length;
    for (let at = 0; at < batch.length; ) {
      at = this.#stream.fill(batch, at, batch.length);
      for (let i = 0; i < out.length; i++) this.touched.add(out.hi[i] as number, out.lo[i] as number);
    }
  }
}
