/** Words of a cell: the frame number's bits 31..0, its bits 63..32, and its place + 1. 0 there is a free cell. */
const CELL = 4;

/** Where each of some frame numbers is in their list: a hash table without an object for a number. */
export class FrameIndex {
  /** At most half of the cells are in use. */
  readonly #cells: Int32Array;
  /** Bits of a cell's first word index. */
  readonly #mask: number;

  /** @param frames - frame numbers, none twice. */
  constructor(frames: Float64Array) {
    let cells = 2;
    while (cells < 2 * frames.length) cells *= 2;
    const words = new Int32Array(cells * CELL);
    this.#cells = words;
    this.#mask = (cells - 1) * CELL;
    frames.forEach((pfn, place) => {
      const high = Math.floor(pfn / 4294967296);
      let at = this.#start(pfn | 0, high);
      while (words[at + 2] !== 0) at = (at + CELL) & this.#mask;
      words[at] = pfn | 0;
      words[at + 1] = high;
      words[at + 2] = place + 1;
    });
  }

  /**
   * The place of a frame number; -1 when it is not in the list.
   *
   * @param low - its bits 31..0, as a signed word. @param high - the bits above.
   */
  find(low: number, high: number): number {
    const cells = this.#cells;
    let at = this.#start(low, high);
    for (;;) {
      const place = cells[at + 2] as number;
      if ((((cells[at] as number) ^ low) | ((cells[at + 1] as number) ^ high)) === 0 || place === 0) {
        return place - 1;
      }
      at = (at + CELL) & this.#mask;
    }
  }

  /** Adjacent frames get distant cells, so that a run of them fills no row of cells. */
  #start(low: number, high: number): number {
    const mixed = Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b);
    return (mixed ^ (mixed >>> 15)) & this.#mask;
  }
}
