import { takenFrames } from '@vmarea/conformance';
import { hex } from '@vmarea/core';
import { expect } from 'vitest';
import { TableRecords } from '../../../src/table/state/table-records.js';
import type { World } from './world.js';

/** Everything that calls on a world change, except the model: a copy, to be compared later. */
export interface WorldState {
  /** The allocator's state and the engine's records of tables. */
  readonly books: readonly Uint8Array[];
  /** All bytes, of free frames too. */
  readonly bytes: Uint8Array;
  /** What the batches owe. */
  readonly owed: string;
  readonly taken: ReadonlySet<number>;
}

const bytesOf = ({ memory, frames, pageBytes }: World): Uint8Array =>
  memory.bytesAt(BigInt(frames.first) << BigInt(frames.pageShift), frames.frames * pageBytes);

const booksOf = ({ frames }: World): Uint8Array[] => [
  new Uint8Array(frames.state),
  new Uint8Array(TableRecords.of(frames).state),
];

function owedOf({ batches }: World): string {
  const owed = batches.map(({ isPending, ranges, tables }) => {
    return [isPending, tables, ...ranges.map(({ va, bytes }) => `${hex(va)}+${bytes}`)];
  });
  return JSON.stringify(owed);
}

/** The copy of the last world: a new one for each step took a third of the test's time, since the host gives it page by page. */
let copy = new Uint8Array(0);

/**
 * Copies what a world is now, and notes from now on which frames are given out. The bytes are valid until the next call: a step is
 * judged before another begins.
 */
export function stateOf(world: World): WorldState {
  world.given.clear();
  const books = booksOf(world).map((book) => book.slice());
  const bytes = bytesOf(world);
  if (copy.length !== bytes.length) copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  return { books, bytes: copy, owed: owedOf(world), taken: takenFrames(world.frames) };
}

/** A refused call leaves everything as it was; only frames that it was given meanwhile may hold other bytes. */
export function expectUnchanged(world: World, before: WorldState, why: string): void {
  const [allocator, records] = booksOf(world).map((book, i) => isSame(book, before.books[i] as Uint8Array));
  expect({ allocator, records, owed: owedOf(world) }, why).toEqual({
    allocator: true,
    records: true,
    owed: before.owed,
  });
  expect(
    changedFrames(world, before, () => true),
    `${why}: frames whose bytes changed`,
  ).toEqual([]);
}

/** No call writes to frames that are free before and after it, unless it was given them meanwhile. */
export function expectFreeUntouched(world: World, before: WorldState, taken: ReadonlySet<number>): void {
  const isFree = (pfn: number): boolean => !before.taken.has(pfn) && !taken.has(pfn);
  expect(changedFrames(world, before, isFree), 'free frames whose bytes changed').toEqual([]);
}

function changedFrames(world: World, before: WorldState, isMeant: (pfn: number) => boolean): number[] {
  const { frames, given, pageBytes } = world;
  const now = bytesOf(world);
  if (isSame(now, before.bytes)) return [];
  const changed: number[] = [];
  for (let i = 0; i < frames.frames; i++) {
    const pfn = frames.first + i;
    if (given.has(pfn) || !isMeant(pfn)) continue;
    const [from, to] = [i * pageBytes, (i + 1) * pageBytes];
    if (!isSame(now.subarray(from, to), before.bytes.subarray(from, to))) changed.push(pfn);
  }
  return changed;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
