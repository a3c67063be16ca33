import type { EntryTemplate } from '../entry-template.js';
import { type EntryWords, type FrameSource, type RunLoops, type WalkLoops, WRITTEN } from './run-loops.js';
import { firstUnfit, writeLinear, writeNarrow, writeWide } from './write-loops.js';

/**
 * The loops over a bank's typed array. They serve memories and hosts without WebAssembly, and short runs.
 *
 * They are for memory that one thread uses. `SharedArrayLoops` are for several.
 */
export class ArrayLoops implements RunLoops {
  high: number = 0;
  readonly isShared: boolean = false;
  protected readonly bank: EntryWords;

  constructor(bank: EntryWords) {
    this.bank = bank;
  }

  get kind(): 'array' | 'wasm' {
    return 'array';
  }

  get walks(): WalkLoops | null {
    return null;
  }

  writeFrames(
    at: number,
    count: number,
    { narrow, wide }: FrameSource,
    from: number,
    template: EntryTemplate,
  ): number {
    const { words } = this.bank;
    const { pfnLimit } = template;
    if (narrow !== null) {
      if (pfnLimit < 4294967296) {
        const bad = firstUnfit(narrow, from, count, pfnLimit);
        if (bad >= 0) return bad;
      }
      writeNarrow(words, at, count, narrow, from, template);
    } else if (wide !== null) {
      const bad = firstUnfit(wide, from, count, pfnLimit);
      if (bad >= 0) return bad;
      writeWide(words, at, count, wide, from, template);
    }
    return WRITTEN;
  }

  writeLinear(at: number, count: number, pfn: number, step: number, template: EntryTemplate): void {
    writeLinear(this.bank.words, at, count, pfn, step, template);
  }

  erase(at: number, count: number): void {
    this.bank.words.fill(0, at, at + 2 * count);
  }

  clear(at: number, count: number): number {
    const { words } = this.bank;
    const live = countLive(words, at, count);
    if (live > 0) words.fill(0, at, at + 2 * count);
    return live;
  }

  firstLive(at: number, count: number): number {
    return firstLive(this.bank.words, at, count);
  }

  lastLive(at: number, count: number): number {
    const { words } = this.bank;
    for (let i = at + 2 * (count - 1); i >= at; i -= 2) {
      if (((words[i] as number) | (words[i + 1] as number)) !== 0) return (i - at) / 2;
    }
    return -1;
  }

  countLive(at: number, count: number): number {
    return countLive(this.bank.words, at, count);
  }

  matching(
    at: number,
    count: number,
    maskLo: number,
    maskHi: number,
    valueLo: number,
    valueHi: number,
  ): number {
    const { words } = this.bank;
    for (let i = at, end = at + 2 * count; i < end; i += 2) {
      const lo = words[i] as number;
      const hi = words[i + 1] as number;
      const differs = ((lo & maskLo) ^ valueLo) | ((hi & maskHi) ^ valueHi);
      if (differs !== 0 && (lo | hi) !== 0) return (i - at) / 2;
    }
    return count;
  }

  change(
    at: number,
    count: number,
    maskLo: number,
    maskHi: number,
    valueLo: number,
    valueHi: number,
  ): number {
    const { words } = this.bank;
    const keepLo = ~maskLo;
    const keepHi = ~maskHi;
    const setLo = valueLo & maskLo;
    const setHi = valueHi & maskHi;
    let live = 0;
    for (let i = at, end = at + 2 * count; i < end; i += 2) {
      const lo = words[i] as number;
      const hi = words[i + 1] as number;
      if ((lo | hi) === 0) continue;
      words[i] = (lo & keepLo) | setLo;
      words[i + 1] = (hi & keepHi) | setHi;
      live++;
    }
    return live;
  }

  get(at: number, count: number, into: Int32Array, from: number): void {
    into.set(this.bank.words.subarray(at, at + 2 * count), from);
  }

  put(at: number, words: Int32Array, from: number, count: number): void {
    this.bank.words.set(
      from === 0 && words.length === 2 * count ? words : words.subarray(from, from + 2 * count),
      at,
    );
  }

  copy(to: number, from: number, count: number): void {
    this.bank.words.copyWithin(to, from, from + 2 * count);
  }

  firstDifference(a: number, b: number, count: number): number {
    const { words } = this.bank;
    for (let i = 0; i < 2 * count; i++) {
      if (words[a + i] !== words[b + i]) return i >> 1;
    }
    return -1;
  }

  load64(at: number): number {
    const { words } = this.bank;
    this.high = words[at + 1] as number;
    return words[at] as number;
  }

  store64(at: number, lo: number, hi: number): void {
    const { words } = this.bank;
    words[at] = lo;
    words[at + 1] = hi;
  }

  cas64(at: number, expectedLo: number, expectedHi: number, lo: number, hi: number): boolean {
    const { words } = this.bank;
    if (words[at] !== expectedLo || words[at + 1] !== expectedHi) return false;
    words[at] = lo;
    words[at + 1] = hi;
    return true;
  }
}

function firstLive(table: Int32Array, at: number, count: number): number {
  const end = at + 2 * count;
  for (let i = at; i < end; i += 2) {
    if (((table[i] as number) | (table[i + 1] as number)) !== 0) return (i - at) / 2;
  }
  return -1;
}

function countLive(table: Int32Array, at: number, count: number): number {
  const end = at + 2 * count;
  let live = 0;
  for (let i = at; i < end; i += 2) {
    if (((table[i] as number) | (table[i + 1] as number)) !== 0) live++;
  }
  return live;
}
