import { VmError } from '../../errors.js';
import { Field, NAME_WORDS, REGION_HEADER, REGION_WORDS, RegionWord, SPARE_REGIONS } from './layout.js';

/** A region as the words say it. */
export interface PlainRegion {
  readonly id: number;
  readonly first: number;
  readonly end: number;
  readonly pgoff: number;
  readonly bits: number;
  readonly anon: number;
  readonly isForked: boolean;
  readonly kind: number;
  readonly name: string | undefined;
}

/** Bytes of the buffer of a process. The host gives memory for what is used. */
export function regionBytes(mostRegions: number): number {
  return 4 * (REGION_HEADER + NAME_WORDS + 2 * REGION_WORDS * (mostRegions + SPARE_REGIONS));
}

/**
 * The regions of a process in words, in two halves: a call writes the half that nobody reads, and one atomic store makes it the list.
 * A thread that dies before that has changed nothing.
 */
export class RegionWords {
  readonly words: Int32Array;
  readonly #half: number;

  constructor(buffer: SharedArrayBuffer, mostRegions: number) {
    this.words = new Int32Array(buffer);
    this.#half = REGION_WORDS * (mostRegions + SPARE_REGIONS);
  }

  /** The version of the list. It differs after each change. */
  get version(): number {
    return Atomics.load(this.words, RegionWord.published);
  }

  get isGone(): boolean {
    return Atomics.load(this.words, RegionWord.destroyed) !== 0;
  }

  /** No thread may use the process any more. */
  destroy(): void {
    Atomics.store(this.words, RegionWord.destroyed, 1);
  }

  /** A number for a new region. The caller has the lock of the process. */
  newId(): number {
    return Atomics.add(this.words, RegionWord.last, 1) + 1;
  }

  /**
   * The list of a version.
   *
   * @returns `null` when it has changed meanwhile. With the lock of the process it does not.
   */
  read(version: number): PlainRegion[] | null {
    const { words } = this;
    const half = version & 1;
    const count = Atomics.load(words, RegionWord.counts + half);
    const copy = new Int32Array(REGION_WORDS * count);
    const from = this.#startOf(half);
    for (let i = 0; i < copy.length; i++) copy[i] = Atomics.load(words, from + i);
    if (this.version !== version) return null;
    const found: PlainRegion[] = [];
    for (let at = 0; at < copy.length; at += REGION_WORDS) found.push(this.#regionOf(copy, at));
    return found;
  }

  /** Makes a list the one that all threads have. The caller has the lock of the process. Returns its version. */
  write(regions: readonly PlainRegion[]): number {
    const { words, version } = this;
    const half = 1 - (version & 1);
    let at = this.#startOf(half);
    for (const region of regions) {
      this.#store(region, at);
      at += REGION_WORDS;
    }
    Atomics.store(words, RegionWord.counts + half, regions.length);
    const next = (((version >> 1) + 1) << 1) | half;
    Atomics.store(words, RegionWord.published, next);
    return next;
  }

  /**
   * Where a name is, and 1. It is written when it is not there. The caller has the lock of the process.
   *
   * @throws VmError `ENOMEM` when there is no room.
   */
  nameAt(name: string): number {
    const { words } = this;
    const used = Atomics.load(words, RegionWord.names);
    for (let at = 0; at < used; at += 1 + Atomics.load(words, REGION_HEADER + at))
      if (this.#nameOf(at) === name) return at + 1;
    if (used + 1 + name.length > NAME_WORDS)
      throw new VmError('ENOMEM', 'the names of regions of a process that threads share are full', {
        advice: 'use fewer or shorter names',
      });
    Atomics.store(words, REGION_HEADER + used, name.length);
    for (let i = 0; i < name.length; i++)
      Atomics.store(words, REGION_HEADER + used + 1 + i, name.charCodeAt(i));
    Atomics.store(words, RegionWord.names, used + 1 + name.length);
    return used + 1;
  }

  #startOf(half: number): number {
    return REGION_HEADER + NAME_WORDS + half * this.#half;
  }

  #nameOf(at: number): string {
    const from = REGION_HEADER + at;
    const length = Atomics.load(this.words, from);
    let name = '';
    for (let i = 1; i <= length; i++) name += String.fromCharCode(Atomics.load(this.words, from + i));
    return name;
  }

  #regionOf(copy: Int32Array, at: number): PlainRegion {
    const word = (field: number): number => copy[at + field] as number;
    const wide = (field: number): number => (word(field) >>> 0) + word(field + 1) * 2 ** 32;
    return {
      ...{ id: word(Field.id), bits: word(Field.bits), anon: word(Field.anon), kind: word(Field.kind) },
      ...{ first: wide(Field.first), end: wide(Field.end), pgoff: wide(Field.pgoff) },
      isForked: word(Field.isForked) !== 0,
      name: word(Field.name) === 0 ? undefined : this.#nameOf(word(Field.name) - 1),
    };
  }

  #store(region: PlainRegion, at: number): void {
    const { words } = this;
    const { id, bits, anon, kind, isForked, name } = region;
    const narrow = (field: number, value: number): void => {
      Atomics.store(words, at + field, value);
    };
    const wide = (field: number, value: number): void => {
      narrow(field, value | 0);
      narrow(field + 1, Math.floor(value / 2 ** 32));
    };
    narrow(Field.id, id);
    narrow(Field.bits, bits);
    narrow(Field.anon, anon);
    narrow(Field.isForked, isForked ? 1 : 0);
    narrow(Field.kind, kind);
    narrow(Field.name, name === undefined ? 0 : this.nameAt(name));
    wide(Field.first, region.first);
    wide(Field.end, region.end);
    wide(Field.pgoff, region.pgoff);
  }
}
