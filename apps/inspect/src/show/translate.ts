import { type PageTableReader, translateMany } from '@vmarea/core';

/** Addresses of a batch. */
const BATCH = 4096;
/** Pages that are remembered: a power of two. */
const PAGES = 65536;
/** The frame of a place without a page. */
const NO_PAGE = -2;
/** The frame of an address that has no translation. */
const NOT_MAPPED = -1;
/** The frame of an address of which nobody knows, since the dump lacks a table on its way. */
export const MISSING = -3;

/** Addresses and what they translate to. The arrays are used again for the next batch. */
export interface TranslatedBatch {
  /** How many addresses it has. */
  readonly count: number;
  /** Low and high word of each address. */
  readonly words: Uint32Array;
  /** The frame of each address in base pages; -1 where there is no translation; `MISSING` where the dump lacks a table that would say it. */
  readonly frames: Float64Array;
  /** log2 bytes of the leaf; 0 where there is no translation. */
  readonly leafShifts: Uint8Array;
}

/**
 * Translates addresses in batches, without an object for each. A dump does not change, so pages that were translated are
 * remembered: a look-up takes a tenth of a walk.
 *
 * @example
 * ```ts
 * const translations = new Translations(table, ({ count, frames }) => console.log(count, frames[0]));
 * translations.add(0xffffffff, 0x81000000);
 * translations.flush();
 * ```
 */
export class Translations {
  /** Addresses that were translated. */
  found = 0;
  /** Addresses of which nobody knows: the dump lacks a table on their way. */
  missing = 0;
  /** Addresses that were asked for. */
  asked = 0;
  readonly #table: PageTableReader;
  readonly #pageShift: number;
  readonly #take: (batch: TranslatedBatch) => void;
  readonly #words = new Uint32Array(2 * BATCH);
  readonly #frames = new Float64Array(BATCH);
  readonly #leafShifts = new Uint8Array(BATCH);
  #count = 0;
  /** Addresses of the batch whose pages are not remembered, and where they are in it. */
  readonly #walked = {
    addresses: new BigUint64Array(BATCH),
    places: new Uint16Array(BATCH),
    frames: new Float64Array(BATCH),
    leafShifts: new Uint8Array(BATCH),
  };
  /** Pages that are remembered: upper and lower word of a page's address, and what was found. -2 is no page yet. */
  readonly #pagesHi = new Int32Array(PAGES);
  readonly #pagesLo = new Int32Array(PAGES);
  readonly #pageFrames: Float64Array = new Float64Array(PAGES).fill(NO_PAGE);
  readonly #pageShifts = new Uint8Array(PAGES);

  /** @param take - gets each batch. */
  constructor(table: PageTableReader, take: (batch: TranslatedBatch) => void) {
    this.#table = table;
    this.#pageShift = table.format.pageShift;
    this.#take = take;
  }

  /**
   * Adds an address.
   *
   * @param hi - its upper word, signed or unsigned.
   * @param lo - its lower word.
   */
  add(hi: number, lo: number): void {
    this.#words[2 * this.#count] = lo;
    this.#words[2 * this.#count + 1] = hi;
    if (++this.#count === BATCH) this.flush();
  }

  /** Translates what was added last. */
  flush(): void {
    const count = this.#count;
    if (count === 0) return;
    this.#walk(this.#remember(count));
    const [words, frames, leafShifts] = [this.#words, this.#frames, this.#leafShifts];
    for (let i = 0; i < count; i++) {
      const frame = frames[i] as number;
      if (frame >= 0) this.found++;
      else if (frame === MISSING) this.missing++;
    }
    this.asked += count;
    this.#count = 0;
    this.#take({ count, words, frames, leafShifts });
  }

  /** Fills in what is remembered. @returns how many addresses must be walked. */
  #remember(count: number): number {
    const { addresses, places } = this.#walked;
    const wanted = new Uint32Array(addresses.buffer);
    const inside = 2 ** this.#pageShift - 1;
    let missing = 0;
    for (let i = 0; i < count; i++) {
      const lo = this.#words[2 * i] as number;
      const hi = (this.#words[2 * i + 1] as number) | 0;
      const page = lo & ~inside;
      const at = this.#placeOf(hi, lo);
      const frame = this.#pageFrames[at] as number;
      if (this.#pagesHi[at] === hi && this.#pagesLo[at] === page && frame !== NO_PAGE) {
        this.#frames[i] = frame;
        this.#leafShifts[i] = this.#pageShifts[at] as number;
      } else {
        wanted[2 * missing] = lo;
        wanted[2 * missing + 1] = hi;
        places[missing++] = i;
      }
    }
    return missing;
  }

  #walk(count: number): void {
    const { addresses, places, frames, leafShifts } = this.#walked;
    const inside = 2 ** this.#pageShift - 1;
    translateMany(this.#table, addresses.subarray(0, count), frames, leafShifts);
    for (let i = 0; i < count; i++) {
      const place = places[i] as number;
      const lo = this.#words[2 * place] as number;
      const hi = (this.#words[2 * place + 1] as number) | 0;
      const at = this.#placeOf(hi, lo);
      this.#pagesHi[at] = hi;
      this.#pagesLo[at] = lo & ~inside;
      const frame = frames[i] as number;
      const isMissing = frame === NOT_MAPPED && this.#isMissing(addresses[i] as bigint);
      this.#pageFrames[at] = this.#frames[place] = isMissing ? MISSING : frame;
      this.#pageShifts[at] = this.#leafShifts[place] = leafShifts[i] as number;
    }
  }

  /** A look-up does not tell a table that the dump lacks from an entry that maps nothing: a walk does. */
  #isMissing(va: bigint): boolean {
    return this.#table.walk(va).fault?.kind === 'external';
  }

  #placeOf(hi: number, lo: number): number {
    return ((lo >>> this.#pageShift) ^ (hi << 5)) & (PAGES - 1);
  }
}
