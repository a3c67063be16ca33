/** Where each of some numbers is in their list: a hash table without an object for a number. */
export class FrameIndex {
  readonly #frames: Float64Array;
  /** One more than a place in the list; 0 for a free cell. At most half of the cells are in use. */
  readonly #cells: Uint32Array;
  readonly #mask: number;

  /** @param frames - frame numbers, none twice. */
  constructor(frames: Float64Array) {
    let cells = 2;
    while (cells < 2 * frames.length) cells *= 2;
    this.#frames = frames;
    this.#cells = new Uint32Array(cells);
    this.#mask = cells - 1;
    for (let place = 0; place < frames.length; place++) {
      let at = this.#start(frames[place] as number);
      while (this.#cells[at] !== 0) at = (at + 1) & this.#mask;
      this.#cells[at] = place + 1;
    }
  }

  /** The place of a frame number; -1 when it is not in the list. */
  find(pfn: number): number {
    const cells = this.#cells;
    let at = this.#start(pfn);
    for (;;) {
      const place = (cells[at] as number) - 1;
      if (place < 0 || this.#frames[place] === pfn) return place;
      at = (at + 1) & this.#mask;
    }
  }

  /** Adjacent frames get distant cells, so that a run of them fills no row of cells. */
  #start(pfn: number): number {
    const mixed = Math.imul(pfn | 0, 0x9e3779b1) ^ Math.imul((pfn * 2 ** -32) | 0, 0x85ebca6b);
    return (mixed ^ (mixed >>> 15)) & this.#mask;
  }
}
