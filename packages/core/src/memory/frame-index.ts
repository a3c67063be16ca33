/** Where each of some frame numbers is in their list: a hash table without an object for a number. */
export class FrameIndex {
  /** Frame numbers; -1 in a free cell. At most half of the cells are in use. */
  readonly #frames: Float64Array;
  readonly #places: Int32Array;
  readonly #mask: number;

  /** @param frames - frame numbers, none twice. */
  constructor(frames: Float64Array) {
    let cells = 2;
    while (cells < 2 * frames.length) cells *= 2;
    this.#frames = new Float64Array(cells).fill(-1);
    this.#places = new Int32Array(cells);
    this.#mask = (cells - 1) | 0;
    frames.forEach((pfn, place) => {
      let at = startOf(pfn) & this.#mask;
      while ((this.#frames[at] as number) >= 0) at = (at + 1) & this.#mask;
      this.#frames[at] = pfn;
      this.#places[at] = place;
    });
  }

  /** The place of a frame number; -1 when it is not in the list. */
  find(pfn: number): number {
    const frames = this.#frames;
    const mask = this.#mask;
    let at = startOf(pfn) & mask;
    for (;;) {
      const here = frames[at] as number;
      if (here === pfn) return here < 0 ? -1 : (this.#places[at] as number);
      if (here < 0) return -1;
      at = (at + 1) & mask;
    }
  }
}

/** Adjacent frames get distant cells, so that a run of them fills no row of cells. */
function startOf(pfn: number): number {
  const mixed = Math.imul(pfn | 0, 0x9e3779b1) ^ Math.imul((pfn / 4294967296) | 0, 0x85ebca6b);
  return mixed ^ (mixed >>> 15);
}
