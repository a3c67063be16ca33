import { takenFrames } from '@vmarea/conformance';
import { hex, translateMany } from '@vmarea/core';
import { expect } from 'vitest';
import { TableRecords } from '../../../src/table/state/table-records.js';
import type { Attributes } from '../manual-walk/descriptor.js';
import { brokenRuns, type Enumeration } from '../manual-walk/enumerate.js';
import { addressOfPage, type ManualLevel } from '../manual-walk/geometry.js';
import { manualWalk } from '../manual-walk/walk.js';
import { key } from './model.js';
import { allOf, type World, watchBreaks } from './world.js';

/** Judges a world between two calls. */
export function judge(world: World): void {
  const found = allOf(world);
  expectEntries(world, found);
  expectTables(world, found);
  expectFrames(world, found);
  const owed = world.batches.flatMap(({ ranges }) => ranges);
  watchBreaks(world, found);
  world.tlb.expectFresh(owed);
  expectReads(world);
  expectLeaves(world, found);
}

/** The tables have the entries of the model, and no others. */
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
    // A plain comparison first: there may be thousands of entries.
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

/** The tables are those of the model, each is on record, and its live count is right. */
function expectTables({ frames, model }: World, found: Enumeration): void {
  const records = TableRecords.of(frames);
  const tables = new Map(found.tables.map((table) => [key(table.level, table.page), table]));
  expect(tables.size, 'tables that are reached twice').toBe(found.tables.length);
  const isSame =
    tables.size === model.tables.size &&
    [...tables].every(([name, { pfn, live }]) => {
      const record = records.find(pfn);
      return model.tables.get(name) === live && record >= 0 && records.live(record) === live;
    });
  if (isSame) return;
  const counts = [...tables].map(([name, { pfn, live }]) => {
    const record = records.find(pfn);
    return { name, live, onRecord: record >= 0 ? records.live(record) : 'none' };
  });
  const expected = [...model.tables].map(([name, live]) => ({ name, live, onRecord: live }));
  const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);
  expect(counts.sort(byName)).toEqual(expected.sort(byName));
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

/** Reads a few pages by every call that reads, at a byte in the middle of each. */
function expectReads(world: World): void {
  const { geometry, model, table, read64, manual } = world;
  const shift = BigInt(geometry.pageShift);
  const inside = 5n;
  const pages = samplePages(world, 8);
  const addresses = BigUint64Array.from(pages, (page) => addressOfPage(geometry, page) + inside);
  const frames = new Float64Array(pages.length);
  const shifts = new Uint8Array(pages.length);
  translateMany(table, addresses, frames, shifts);
  for (const [index, page] of pages.entries()) {
    const va = addressOfPage(geometry, page);
    const found = manualWalk(read64, table.root, va, geometry.shape);
    const walk = table.walk(va + inside);
    const [start, entry] = model.at(page) ?? [page, null];
    const isMapped = entry !== null && entry.pfn >= 0;
    const pfn = isMapped ? entry.pfn + page - start : -1;
    const pa = isMapped ? BigInt(pfn) << shift : null;
    const level = isMapped ? model.level(entry.level) : null;
    const rights = found === null ? null : rightsOf(found.attributes);
    const expected = {
      pa,
      byBytes: pa,
      words: pfn,
      byCursor: pfn,
      many: [pfn, isMapped ? level?.shift : 0],
      byWalk: pa,
      fault: isMapped ? null : 'not-present',
      leaf: isMapped ? [entry.level, level?.shift, entry.pfn, entry.bits, entry.isMarked] : null,
      rights,
    };
    const { leaf } = walk;
    const translated = table.translate(va + inside);
    const told = {
      pa: translated === null ? null : translated - inside,
      byBytes: found?.pa ?? null,
      words: table.translateWords(Number(va >> 32n), Number(va & 0xffff_ffffn)),
      byCursor: world.cursor.translateWords(Number(va >> 32n), Number(va & 0xffff_ffffn)),
      many: [frames[index], shifts[index]],
      byWalk: walk.pa === null ? null : walk.pa - inside,
      fault: walk.fault?.kind ?? null,
      // Each member of the protection, by the bits that the second version of the rules gives it.
      leaf:
        leaf === null
          ? null
          : [
              leaf.level,
              leaf.leafShift,
              leaf.pfn,
              model.bits.encode(leaf.protection),
              leaf.runShift !== null,
            ],
      rights: leaf === null ? null : rightsOf(leaf.protection),
    };
    // A plain comparison first: `toEqual` is slow.
    if (JSON.stringify(told, asText) !== JSON.stringify(expected, asText))
      expect(told, hex(va)).toEqual(expected);
    if (found !== null && leaf !== null) {
      const memory = manual.attributes(model.bits.encode(leaf.protection)).memory;
      if (memory !== found.attributes.memory) expect.fail(`memory type ${memory} at ${hex(va)}`);
    }
  }
}

/** `leaves` lists the leaves in the bytes, each once, in order, in runs as long as possible. */
function expectLeaves({ geometry, manual, table }: World, found: Enumeration): void {
  const leaves = found.entries.filter(({ kind }) => kind === 'leaf');
  let next = 0;
  let last = null as { va: bigint; pfn: number; level: number; flags: bigint } | null;
  for (const { va, count, leafShift, level, pfn, pa, flags } of table.leaves()) {
    const { pages, shift } = geometry.levels[level] as ManualLevel;
    const first = leaves[next];
    const start = first === undefined ? null : addressOfPage(geometry, first.page);
    const isPlaced = va === start && leafShift === shift && pa === BigInt(pfn) << BigInt(geometry.pageShift);
    if (!isPlaced || count <= 0) {
      const told = { va, leafShift, pa, count };
      expect.fail(`leaves() tells ${JSON.stringify(told, asText)} where the next leaf is at ${start}`);
    }
    for (let i = 0; i < count; i++, next++) {
      const leaf = leaves[next];
      const isSame =
        leaf?.level === level &&
        leaf.page === (first?.page ?? -1) + i * pages &&
        leaf.pfn === pfn + i * pages &&
        manual.withoutAddress(leaf.entry, level) === flags;
      if (!isSame) expect.fail(`leaves() at ${hex(va)}: leaf ${i} of ${count} is not what the bytes say`);
    }
    const joins = last?.level === level && last.flags === flags && last.va === va && last.pfn === pfn;
    if (joins) expect.fail(`leaves() at ${hex(va)} goes on where the run before ended`);
    last = { va: va + (BigInt(count) << BigInt(shift)), pfn: pfn + count * pages, level, flags };
  }
  expect(next, 'leaves that were listed').toBe(leaves.length);
}

const asText = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? hex(value) : value);

type Rights = Omit<Attributes, 'memory' | 'software'>;

function rightsOf({ read, write, execute, user, global, accessed, dirty }: Rights): Rights {
  return { read, write, execute, user, global, accessed, dirty };
}

/** Pages at both ends of about `count` leaves, spread over all, and the pages beside them. */
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
