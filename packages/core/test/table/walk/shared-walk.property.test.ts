import {
  dumpTables,
  listLeaves,
  PageTableReader,
  PhysicalMemory,
  pathWalker,
  type ReadableTable,
  translateMany,
  translationCursor,
  wasmLoops,
} from '@vmarea/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ShapedFormat, shapedFormats } from '../../formats/index.js';
import { type Draft, drafts } from '../../support/model/draft.js';
import { play } from '../../support/model/play.js';
import { step } from '../../support/model/step.js';
import { newWorld } from '../../support/model/world.js';

/* The readers of shared memory have code of their own. They must tell the same of the same bytes as those of memory that is not. */

const RUNS = 3 * Number(process.env.VMAREA_RUNS ?? 1);
const BASES = [0, 5, 0x40003, 0x7ffffff9];

/** Addresses at and around the ends of all leaves, and outside of the range. */
function addressesOf(table: ReadableTable): bigint[] {
  const list = [0n, 1n << 47n, (1n << 64n) - 1n, 0xffff800000000000n];
  for (const { va, count, leafShift } of table.leaves(undefined, undefined, { complete: true })) {
    const end = va + (BigInt(count) << BigInt(leafShift));
    for (const at of [va - 1n, va, va + 0x1234n, end - 1n, end]) list.push(BigInt.asUintN(64, at));
  }
  return list;
}

/** Everything that the readers tell of a table. */
function toldBy(table: ReadableTable, addresses: readonly bigint[]): unknown[] {
  const cursor = translationCursor(table);
  const walker = pathWalker(table);
  const frames = new Float64Array(addresses.length);
  const sizes = new Uint8Array(addresses.length);
  const many = translateMany(table, BigUint64Array.from(addresses), frames);
  const sized = [
    translateMany(table, BigUint64Array.from(addresses), frames, sizes),
    [...frames],
    [...sizes],
  ];
  const ones = addresses.map((va) => {
    const [hi, lo] = [Number(va >> 32n) | 0, Number(va & 0xffffffffn) | 0];
    const path = [
      walker.walk(hi, lo),
      walker.depth,
      walker.pfn,
      walker.leafShift,
      walker.runShift,
      walker.groupMask(8),
    ];
    const entries = [...walker.entryLo, ...walker.entryHi].slice(0, walker.depth);
    return [
      table.translate(va),
      table.translateWords(hi, lo),
      cursor.translateWords(hi, lo),
      path,
      entries,
      table.walk(va),
    ];
  });
  return [
    ones,
    many,
    sized,
    [...table.leaves()],
    [...listLeaves(table)],
    dumpTables(table),
    dumpTables(table, { tables: true }),
  ];
}

function run(shaped: ShapedFormat, list: readonly Draft[], base: number): void {
  const world = newWorld(shaped, base);
  play(world, list, (call) => step(world, call));
  const { format, table, memory } = world;
  const [bank] = memory.banks;
  if (bank === undefined) throw new Error('a memory has a bank');
  const addresses = addressesOf(table);
  const expected = toldBy(table, addresses);
  for (const loops of [undefined, wasmLoops]) {
    const shared = PhysicalMemory.create({
      ...{ bytes: bank.bytes, base: bank.base, shared: true },
      ...(loops && { loops }),
    });
    shared.banks[0]?.words.set(bank.words);
    const reader = new PageTableReader({ format, memory: shared, root: table.root });
    expect(toldBy(reader, addresses)).toEqual(expected);
  }
}

describe.each(shapedFormats.map((shaped, index) => [shaped.format.name, shaped, index] as const))(
  'tables of %s in shared memory',
  (_name, shaped, index) => {
    test('read as the same tables in memory of one thread', { timeout: 180_000 * RUNS }, () => {
      fc.assert(
        fc.property(drafts(8), fc.constantFrom(...BASES), (list, base) => run(shaped, list, base)),
        { numRuns: RUNS, seed: 20270106 + index, unbiased: true },
      );
    });
  },
);
