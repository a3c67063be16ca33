import { type Arena, type ArenaView, createArena } from '@vmarea/arena';
import { random } from '@vmarea/compare';
import type { AddressSpace } from '@vmarea/core';
import { timed } from '../timed.js';
import { type Bed, USER_START } from './bed.js';
import type { Note } from './measures.js';

/** Bytes that the accesses go to: half of the lines of a TLB of the default size, for pages of 4 KiB. */
const BYTES = 2 ** 21;

/** Loads and stores through a view. */
export class Accesses {
  /** Loads of a round, and as many stores. */
  readonly count: number;
  readonly #bed: Bed;
  readonly #kernel: AddressSpace;
  readonly #arena: Arena;
  readonly #view: ArenaView;
  /** Low halves of the addresses of a round. */
  readonly #lows: Int32Array;
  /** For each of them, the word of the memory that the tables say. */
  readonly #places: Int32Array;
  #rounds = 0;

  constructor(bed: Bed, count: number, seed: number) {
    const { pageBytes, words } = bed;
    const kernel = bed.kernel();
    this.#kernel = kernel;
    this.#bed = bed;
    this.count = count;
    const pages = BYTES / pageBytes;
    this.#arena = createArena(kernel, { maxEntries: pages, mapExtra: USER_START });
    bed.require('load', 'the address', this.#arena.allocPages(null, pages) ?? -1n, USER_START);
    const first = Array.from({ length: pages }, (_, page) =>
      Number(kernel.table.translate(this.#arena.kernVmStart + BigInt(page * pageBytes)) ?? -1n),
    );
    const draw = random(seed);
    this.#lows = new Int32Array(count);
    this.#places = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      const at = 4 * draw.next(BYTES / 4);
      const page = Math.floor(at / pageBytes);
      this.#lows[i] = at;
      this.#places[i] = ((first[page] as number) + (at % pageBytes)) / 4;
    }
    for (const place of this.#places) words[place] = Math.imul(place, 0x9e3779b1);
    this.#view = this.#arena.view();
  }

  /** One round of loads, and one of stores. */
  round(note: Note): void {
    const { words } = this.#bed;
    let expected = 0;
    for (const place of this.#places) expected = (expected + (words[place] as number)) | 0;
    let sum = 0;
    note(
      'load',
      timed(() => {
        sum = loadEach(this.#view, this.#lows);
      }),
    );
    this.#bed.require('load', 'the sum', sum, expected);
    const salt = ++this.#rounds;
    note(
      'store',
      timed(() => storeEach(this.#view, this.#lows, salt)),
    );
    let wrong = 0;
    for (let i = 0; i < this.count; i++)
      if (words[this.#places[i] as number] !== ((this.#lows[i] as number) ^ salt)) wrong++;
    this.#bed.require('store', 'words that were not stored', wrong, 0);
  }

  /** Ends the arena and its kernel. */
  end(): void {
    this.#arena.destroy();
    this.#kernel.destroy();
  }
}

function loadEach(view: ArenaView, lows: Int32Array): number {
  let sum = 0;
  for (let i = 0; i < lows.length; i++) sum = (sum + view.loadSigned32(lows[i] as number, 0)) | 0;
  return sum;
}

function storeEach(view: ArenaView, lows: Int32Array, salt: number): void {
  for (let i = 0; i < lows.length; i++) view.store32(lows[i] as number, 0, (lows[i] as number) ^ salt);
}
