import type { Counters } from '@vmarea/core';
import { VmError } from '@vmarea/core';
import { fingerprint } from '@vmarea/testkit';
import { TableRecords } from '../../../packages/core/src/table/state/table-records.js';
import { linesOf } from './ledger.js';
import { Escape, Planted } from './planted.js';
import type { World } from './world.js';

const CODES = ['EINVAL', 'ERANGE', 'ENOMEM', 'EBUSY', 'EFAULT', 'EPERM', 'E2BIG'];

/** The state that a refused call must leave alone, in short. */
export interface State {
  readonly counters: Counters;
  readonly frames: string;
  /** The text of the areas; `null` where it was not asked for, since it takes longer than most calls. */
  readonly text: string | null;
}

/** The outcome of a call. */
export interface Outcome {
  /** A code, `planted`, or `none` for a success. */
  readonly code: string;
  readonly isOfSink: boolean;
  /** It writes, and undoes it when it is refused. */
  readonly writesFirst: boolean;
}

/** Looks at a world from outside: at its bytes, its allocators and the text of its areas. */
export class Judge {
  readonly #world: World;
  /** Tables, and their frames, that were there before the first call: the root, and the tables of a direct map. */
  readonly #firstTables: number;
  readonly #firstFrames: number;
  /** Pages that lazy areas map with frames of their own. */
  #grown = 0;

  constructor(world: World) {
    this.#world = world;
    this.#firstTables = this.#tables();
    this.#firstFrames = world.frames.stats().allocated;
  }

  /** The code of an error that a call threw. */
  codeOf(error: unknown): { code: string; isOfSink: boolean } {
    if (error instanceof Planted) return { code: 'planted', isOfSink: error.isOfSink };
    if (error instanceof VmError && CODES.includes(error.code)) return { code: error.code, isOfSink: false };
    if (error instanceof Escape) throw error;
    const text = error instanceof Error ? (error.stack ?? String(error)) : 'no error at all';
    throw new Escape(`a call threw ${text}`);
  }

  state(isWhole: boolean): State {
    const { kernel, frames, ram } = this.#world;
    const [tables, memory] = [frames.stats(), ram.stats()];
    const text = isWhole ? kernel.vmallocinfo() : null;
    const blocks = `${tables.freeBlocks.join()} / ${memory.freeBlocks.join()}`;
    return {
      counters: kernel.counters,
      frames: `${tables.allocated} / ${memory.allocated}: ${blocks}`,
      text,
    };
  }

  /** All bytes of tables, the engine's records, and both allocators. */
  hash(): string {
    const { memory, frames, ram } = this.#world;
    const tables = fingerprint(memory, frames, TableRecords.of(frames).state);
    return `${tables} ${Buffer.from(new Uint8Array(ram.state)).toString('base64')}`;
  }

  /** @throws Escape when a refused call changed something. */
  refused(before: State, after: State, { code, isOfSink, writesFirst }: Outcome): void {
    if (before.frames !== after.frames)
      throw new Escape(`a refused call took frames: ${before.frames}, then ${after.frames}`);
    // A call that finds no address purges and tries again; a sink throws in the middle of a purge or flush.
    const mayPurge = code === 'ENOMEM' || isOfSink || writesFirst;
    const [old, now] = [before, after].map(({ text }) => (mayPurge && text !== null ? kept(text) : text));
    if (old !== now && typeof old === 'string' && typeof now === 'string')
      throw new Escape(`a call refused with ${code} changed areas: ${differing(old, now)}`);
    if (writesFirst || isOfSink || code === 'ENOMEM' || code === 'EBUSY' || code === 'planted') return;
    for (const name of ['entriesWritten', 'tablesAllocated', 'tablesFreed', 'flushes'] as const)
      if (before.counters[name] !== after.counters[name])
        throw new Escape(`a call refused with ${code} counts ${name}`);
  }

  /** @throws Escape when something is mapped outside live ranges, or frames do not add up. */
  whole(): void {
    this.#checkLeaves();
    this.#checkFrames();
    this.#checkAreas();
  }

  #checkLeaves(): void {
    const { kernel, model, directMap, pageShift, ram } = this.#world;
    const ranges = model.mappable(directMap === null ? [] : [directMap]);
    let i = 0;
    for (const { va, count, leafShift, pfn } of kernel.table.leaves(undefined, undefined, {
      complete: true,
    })) {
      const end = va + (BigInt(count) << BigInt(leafShift));
      while (i < ranges.length && (ranges[i] as { end: bigint }).end <= va) i++;
      const range = ranges[i];
      if (range === undefined || va < range.start || end > range.end)
        throw new Escape(`${va.toString(16)} .. ${end.toString(16)} is mapped outside of live ranges`);
      // An area may begin where the direct map ends: the two are one range above.
      if (directMap === null || va < directMap.start || va >= directMap.end) continue;
      const alias = ram.first + Number((va - directMap.start) >> BigInt(pageShift));
      if (pfn !== alias) throw new Escape(`the direct map shows frame ${pfn} in the place of ${alias}`);
    }
    this.#grown = 0;
    for (const { lazy, growsFromRam, start, bytes } of model.of('lazy')) {
      let pages = 0;
      for (const { count, leafShift } of kernel.table.leaves(start, bytes, { complete: true }))
        pages += count * 2 ** (leafShift - pageShift);
      if (pages !== lazy?.stats.populated)
        throw new Escape(`a lazy area has ${pages} pages and says ${lazy?.stats.populated}`);
      if (growsFromRam) this.#grown += pages + (lazy?.stats.prepared ?? 0);
    }
  }

  #checkFrames(): void {
    const { model, frames, ram } = this.#world;
    let owned = this.#grown;
    for (const one of model.live) owned += one.owned;
    for (const { order } of model.held) owned += 2 ** order;
    const tables = this.#tables() - this.#firstTables;
    const shared = ram === frames;
    const counted = frames.stats().allocated - this.#firstFrames;
    if (counted !== tables + (shared ? owned : 0))
      throw new Escape(
        `${counted} frames are taken for ${tables} tables${shared ? ` and ${owned} pages` : ''}`,
      );
    if (!shared && ram.stats().allocated !== owned)
      throw new Escape(`${ram.stats().allocated} frames of memory are taken, ${owned} have an owner`);
  }

  #checkAreas(): void {
    const name = (start: bigint, end: bigint) => `${start.toString(16)}-${end.toString(16)}`;
    const told = linesOf(this.#world).map(({ start, end }) => name(start, end));
    const known = this.#world.model.live
      .filter(({ kind }) => kind !== 'ram')
      .map(({ start, bytes, guard }) => name(start, start + bytes + guard));
    const [old, now] = [known, told].map((list) => list.sort().join('\n')) as [string, string];
    if (old !== now)
      throw new Escape(`areas are others than the results of calls say: ${differing(old, now)}`);
  }

  #tables(): number {
    const { tablesAllocated, tablesFreed } = this.#world.kernel.counters;
    return tablesAllocated - tablesFreed;
  }
}

/** Lines that only one of two texts has. */
function differing(old: string, now: string): string {
  const [a, b] = [old.split('\n'), now.split('\n')];
  const [gone, come] = [a.filter((line) => !b.includes(line)), b.filter((line) => !a.includes(line))];
  return `\ngone: ${gone.join('\n')}\ncame: ${come.join('\n')}`;
}

/** Areas that must stay when a call purges. */
function kept(text: string): string {
  return text
    .split('\n')
    .filter((line) => !/ unpurged | vm_map_ram/.test(line))
    .join('\n');
}
