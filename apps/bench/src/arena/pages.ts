import { type Arena, createArena } from '@vmarea/arena';
import { random } from '@vmarea/compare';
import type { AddressSpace, Process } from '@vmarea/core';
import { timed } from '../timed.js';
import { type Bed, USER_START } from './bed.js';
import type { Measure, Note } from './measures.js';
import { shuffled } from './order.js';

/** Calls that allocate, populate and free pages. */
export class PageCalls {
  readonly pages: number;
  readonly #bed: Bed;
  readonly #kernel: AddressSpace;
  readonly #arena: Arena;
  readonly #process: Process;
  readonly #order: Int32Array;
  /** Addresses of all pages in ascending order, as the calls have them. */
  readonly #addresses: bigint[];
  readonly #found: (bigint | null)[];
  /** Frames that are allocated while no page is. */
  readonly #allocated: number;

  /** @param pages - pages of a round, a multiple of 1024. */
  constructor(bed: Bed, pages: number, seed: number) {
    this.#bed = bed;
    this.pages = pages;
    this.#kernel = bed.kernel();
    this.#arena = createArena(this.#kernel, { maxEntries: pages, mapExtra: USER_START });
    this.#process = bed.process(this.#kernel);
    this.#arena.mmap(this.#process);
    this.#order = shuffled(pages, random(seed));
    this.#addresses = Array.from({ length: pages }, (_, i) => USER_START + BigInt(i * bed.pageBytes));
    this.#found = new Array(pages).fill(null);
    // The tables of the process, too, before the first round is timed.
    this.#touch('preparation');
    freeEach(this.#arena, this.#addresses, this.#order);
    this.#allocated = bed.ram.stats().allocated;
  }

  /** One round of all calls. */
  round(note: Note): void {
    this.#zero(note);
    this.#single(note);
    this.#single(note, 'free-mapped');
    this.#faults(note);
    this.#batches(note, 256);
    this.#batches(note, 1024);
  }

  /** Ends the arena, its process and its kernel. */
  end(): void {
    this.#process.destroy();
    this.#arena.destroy();
    this.#kernel.destroy();
  }

  /** Zeroing by itself: of the frames that a call would get. */
  #zero(note: Note): void {
    const bed = this.#bed;
    const frames = bed.ram.allocateMany(this.pages);
    bed.soil();
    note(
      'zero',
      timed(() => zeroEach(bed.words, frames, bed.pageWords)),
    );
    bed.requireZeroed('zero', this.pages);
    bed.ram.freeMany(frames);
  }

  /** Allocates and frees page by page, without or with a process that maps them in between. */
  #single(note: Note, free: 'free' | 'free-mapped' = 'free'): void {
    const arena = this.#arena;
    this.#bed.soil();
    const ns = timed(() => allocateEach(arena, this.#found));
    this.#requireAll('alloc');
    for (let i = 0; i < this.pages; i++)
      this.#bed.require('alloc', 'an address', this.#found[i] ?? -1n, this.#addresses[i] as bigint);
    if (free === 'free') note('alloc', ns);
    else note('fault-mapped', this.#touch('fault-mapped'));
    note(
      free,
      timed(() => freeEach(arena, this.#addresses, this.#order)),
    );
    this.#requireNone(free);
  }

  /** A process makes pages by faults. */
  #faults(note: Note): void {
    this.#bed.soil();
    note('fault', this.#touch('fault'));
    this.#requireAll('fault');
    freeEach(this.#arena, this.#addresses, this.#order);
    this.#requireNone('fault');
  }

  #batches(note: Note, count: 256 | 1024): void {
    const arena = this.#arena;
    this.#bed.soil();
    const calls = this.pages / count;
    let last: bigint | null = null;
    note(
      `alloc-${count}`,
      timed(() => {
        for (let i = 0; i < calls; i++) last = arena.allocPages(null, count);
      }),
    );
    this.#requireAll(`alloc-${count}`);
    this.#bed.require(
      `alloc-${count}`,
      'the last address',
      last ?? -1n,
      this.#addresses[this.pages - count] as bigint,
    );
    note(
      `free-${count}`,
      timed(() => {
        for (let i = 0; i < calls; i++) arena.freePages(this.#addresses[i * count] as bigint, count);
      }),
    );
    this.#requireNone(`free-${count}`);
  }

  /** Faults at all pages. @returns nanoseconds. */
  #touch(what: string): number {
    let mapped = 0;
    const ns = timed(() => {
      mapped = touchEach(this.#process, this.#addresses, this.#order);
    });
    this.#bed.require(what, 'faults that mapped', mapped, this.pages);
    return ns;
  }

  #requireAll(what: Measure): void {
    this.#requirePages(what, this.pages);
    this.#bed.requireZeroed(what, this.pages);
  }

  #requireNone(what: Measure): void {
    this.#requirePages(what, 0);
  }

  #requirePages(what: Measure, pages: number): void {
    const bed = this.#bed;
    bed.require(what, 'memUsage', this.#arena.memUsage(), BigInt(pages * bed.pageBytes));
    bed.require(what, 'allocated frames', bed.ram.stats().allocated, this.#allocated + pages);
  }
}

function zeroEach(words: Int32Array, frames: Float64Array, pageWords: number): void {
  for (let i = 0; i < frames.length; i++) {
    const at = (frames[i] as number) * pageWords;
    words.fill(0, at, at + pageWords);
  }
}

function allocateEach(arena: Arena, found: (bigint | null)[]): void {
  for (let i = 0; i < found.length; i++) found[i] = arena.allocPages(null, 1);
}

function freeEach(arena: Arena, addresses: readonly bigint[], order: Int32Array): void {
  for (let i = 0; i < order.length; i++) arena.freePages(addresses[order[i] as number] as bigint, 1);
}

function touchEach(process: Process, addresses: readonly bigint[], order: Int32Array): number {
  let mapped = 0;
  for (let i = 0; i < order.length; i++)
    if (process.handleFault(addresses[order[i] as number] as bigint, 'write') === 'mapped') mapped++;
  return mapped;
}
