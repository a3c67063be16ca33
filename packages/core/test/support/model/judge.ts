import { hex } from '@vmarea/core';
import { expect } from 'vitest';
import { TableRecords } from '../../../src/table/table-records.js';
import { takenFrames } from '../machine.js';
import type { Attributes } from '../manual-walk/descriptor.js';
import { brokenRuns, type Enumeration } from '../manual-walk/enumerate.js';
import { addressOfPage } from '../manual-walk/geometry.js';
import { manualWalk } from '../manual-walk/walk.js';
import { key } from './model.js';
import { allOf, type World } from './world.js';

/** Judges a world between two calls. */
export function judge(world: World): void {
  const found = allOf(world);
  expectEntries(world, found);
  expectTables(world, found);
  expectFrames(world, found);
  const owed = world.batches.flatMap(({ ranges }) => ranges);
  world.watch.look();
  world.tlb.expectFresh(owed);
  expectReads(world);
}

/** Every entry of the tables is one of the model's, and the other way round. */
function expectEntries({ geometry, model }: World, found: Enumeration): void {
  for (const { page, level, kind, pfn, bits, isMarked, entry } of found.entries) {
    const want = model.entries.get(page);
    const isSame =
      want !== undefined &&
      kind !== 'reserved' &&
      want.level === level &&
      want.pfn === pfn &&
      want.bits === bits &&
      want.isMarked === isMarked;
    // A plain comparison first: there may be thousands.
    if (isSame) continue;
    const at = `${kind} ${hex(entry)} at ${hex(addressOfPage(geometry, page))}`;
    expect({ level, pfn, bits, isMarked }, at).toEqual(want ?? null);
    throw new Error(`${at} is no entry that a walk may meet`);
  }
  if (found.entries.length !== model.entries.size) {
    const pages = new Set(found.entries.map(({ page }) => page));
    const lost = [...model.entries.keys()].filter((page) => !pages.has(page));
    expect(
      lost.map((page) => hex(addressOfPage(geometry, page))),
      'lost entries',
    ).toEqual([]);
  }
  expect(brokenRuns(geometry, found)).toEqual([]);
}

/** The tables are the model's, each is on record, and its live count is true. */
function expectTables({ frames, model }: World, found: Enumeration): void {
  const records = TableRecords.of(frames);
  const tables = new Map(found.tables.map((table) => [key(table.level, table.page), table]));
  expect(tables.size, 'tables that are reached twice').toBe(found.tables.length);
  expect([...tables.keys()].sort()).toEqual([...model.tables.keys()].sort());
  const counts = [...tables].map(([name, { pfn, live }]) => {
    const record = records.find(pfn);
    return { name, live, onRecord: record >= 0 ? records.live(record) : 'none' };
  });
  expect(counts).toEqual(
    [...tables.keys()].map((name) => {
      const live = model.tables.get(name);
      return { name, live, onRecord: live };
    }),
  );
}

/** Every frame that is allocated is a table that a walk reaches, or one that a batch holds; no other is on record. */
function expectFrames({ frames, geometry, batches, table }: World, found: Enumeration): void {
  const reached = new Set(found.tables.map(({ pfn }) => pfn));
  const root = Number(table.root >> BigInt(geometry.pageShift));
  const rootBytes = 8 * 2 ** (geometry.levels[0]?.bits ?? 0);
  for (let i = 1; i < rootBytes / 2 ** geometry.pageShift; i++) reached.add(root + i);
  const taken = takenFrames(frames);
  const held = batches.reduce((sum, batch) => sum + batch.tables, 0);
  expect(
    [...reached].filter((pfn) => !taken.has(pfn)),
    'frames of tables that are free',
  ).toEqual([]);
  expect(taken.size, 'frames that are taken').toBe(reached.size + held);
  const records = TableRecords.of(frames);
  const stale: number[] = [];
  for (let pfn = frames.first; pfn < frames.first + frames.frames; pfn++) {
    if (!taken.has(pfn) && records.find(pfn) >= 0) stale.push(pfn);
  }
  expect(stale, 'records of free frames').toEqual([]);
}

/** A few pages, as the table itself tells them. */
function expectReads(world: World): void {
  const { geometry, model, table, read64 } = world;
  const told: object[] = [];
  const expected: object[] = [];
  for (const page of samplePages(world, 8)) {
    const va = addressOfPage(geometry, page);
    const found = manualWalk(read64, table.root, va, geometry.shape);
    const { leaf } = table.walk(va);
    const [start, entry] = model.at(page) ?? [page, null];
    const isMapped = entry !== null && entry.pfn >= 0;
    const pa = isMapped ? BigInt(entry.pfn + page - start) << BigInt(geometry.pageShift) : null;
    expected.push({ va, pa, byBytes: pa, isRun: entry?.isMarked ?? false, rights: rightsOf(found) });
    const rights = leaf === null ? null : rightsOf({ attributes: leaf.protection });
    const isRun = leaf !== null && leaf.runShift !== null;
    told.push({ va, pa: table.translate(va), byBytes: found?.pa ?? null, isRun, rights });
  }
  expect(told).toEqual(expected);
}

type Rights = Omit<Attributes, 'memory' | 'software'>;

function rightsOf(found: { readonly attributes: Rights } | null): Rights | null {
  if (found === null) return null;
  const { read, write, execute, user, global, accessed, dirty } = found.attributes;
  return { read, write, execute, user, global, accessed, dirty };
}

/** Pages at the ends of leaves, and the ones beside them; about so many leaves, spread over all. */
export function samplePages({ geometry, model }: World, leaves: number): number[] {
  const all = [...model.entries];
  const step = Math.max(1, Math.floor(all.length / leaves));
  const pages = new Set<number>();
  for (let i = 0; i < all.length; i += step) {
    const [page, entry] = all[i] as (typeof all)[number];
    const end = page + model.pagesOf(entry);
    for (const near of [page - 1, page, end - 1, end]) {
      if (near >= 0 && near < geometry.pages) pages.add(near);
    }
  }
  return [...pages];
}
