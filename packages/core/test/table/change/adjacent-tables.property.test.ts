import {
  FrameAllocator,
  type PageTable,
  PhysicalMemory,
  prepareTables,
  protection,
  PageTable as Table,
  wasmLoops,
} from '@vmarea/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TableRecords } from '../../../src/table/state/table-records.js';
import { arm64 } from '../../formats/arm64.js';
import { riscv64 } from '../../formats/riscv64.js';
import { x86 } from '../../formats/x86.js';
import { fingerprint } from '../../support/digest.js';

/*
 * Calls over several whole PTE tables. The engine takes tables that follow each other in memory as one, others one by one, and
 * this must make no difference. Tables are made in any order, so that some are adjacent and some are not. Some are made by a
 * page table with another allocator, whose tables the records do not know. The judge is a plain array of pages, and a count of
 * the entries in the bytes.
 */

const RUNS = Number(process.env.VMAREA_RUNS ?? 1);
const TABLES = 8;
const PAGES = 512;

interface Page {
  readonly pfn: number;
  readonly write: boolean;
  readonly execute: boolean;
}

type Step =
  | { op: 'prepare'; table: number; other: boolean }
  | {
      op: 'map' | 'mapRange' | 'unmap' | 'protect';
      first: number;
      pages: number;
      write: boolean;
      execute: boolean;
      block: boolean;
    };

const edge = fc
  .tuple(fc.nat(TABLES), fc.constantFrom(0, 0, 0, 1, -1, 7, 200))
  .map(([table, by]) => Math.min(TABLES * PAGES - 1, Math.max(0, table * PAGES + by)));

const steps = fc.array(
  fc.oneof(
    fc.record({ op: fc.constant('prepare' as const), table: fc.nat(TABLES - 1), other: fc.boolean() }),
    fc
      .record({
        op: fc.constantFrom('map' as const, 'mapRange' as const, 'unmap' as const, 'protect' as const),
        ends: fc.tuple(edge, edge),
        write: fc.boolean(),
        execute: fc.boolean(),
        block: fc.integer({ min: 0, max: 3 }),
      })
      .map(({ op, ends: [a, b], write, execute, block }): Step => {
        const first = Math.min(a, b);
        return { op, first, pages: Math.max(1, Math.abs(a - b)), write, execute, block: block === 0 };
      }),
  ),
  { minLength: 4, maxLength: 24 },
);

const reached = new Map<string, number>();
const note = (what: string) => reached.set(what, (reached.get(what) ?? 0) + 1);

/** Frames of a call: scattered, but for a table in the middle, if there is one, whose frames make a block. */
function framesOf(first: number, pages: number, hasBlock: boolean, salt: number): Uint32Array {
  const frames = Uint32Array.from({ length: pages }, (_, i) => 100_000 + ((i * 7919 + salt) % 65_521));
  const start = Math.ceil((first + PAGES) / PAGES) * PAGES - first;
  if (hasBlock && start + PAGES <= pages) {
    for (let i = 0; i < PAGES; i++) frames[start + i] = PAGES * (1000 + (salt % 50)) + i;
  }
  return frames;
}

describe.each([
  ['x86-64', x86(4, 46), 0xffff_8000_0000_0000n],
  ['arm64', arm64({ granule: 4, vaBits: 48 }), 0xffff_0000_0000_0000n],
  ['riscv64', riscv64(3), 0n],
] as const)('calls over whole tables of %s', (_, format, base) => {
  test('do what a plain array does, whether tables are adjacent or not', () => {
    fc.assert(
      fc.property(steps, fc.boolean(), fc.boolean(), (list, webAssembly, isScattered) => {
        const memory = PhysicalMemory.create({
          bytes: 48 * 4096,
          ...(webAssembly ? { loops: wasmLoops } : {}),
        });
        const chance = isScattered ? { scatter: 7 } : {};
        const frames = new FrameAllocator(memory, { first: 0, frames: 24, ...chance });
        const strange = new FrameAllocator(memory, { first: 24, frames: 24, ...chance });
        const table = new Table({ format, memory, frames });
        const other = new Table({ format, memory, frames: strange, root: table.root });
        const model: (Page | null)[] = new Array(TABLES * PAGES).fill(null);
        let salt = 1;
        for (const step of list) {
          salt += 101;
          play(step, { table, other, memory, frames, base, isScattered }, model, salt);
          judge(table, frames, base, model);
        }
        table.unmap(base, BigInt(TABLES * PAGES) << 12n, { reclaim: true });
        table.destroy();
        expect(frames.stats().allocated).toBe(0);
      }),
      { numRuns: 30 * RUNS, seed: 20261126 },
    );
  });
});

test('map makes a block among whole tables of pages', () => {
  const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 16 * 4096 });
  const table = new Table({ format: x86(4, 46), memory, frames: new FrameAllocator(memory) });
  const frames = new Uint32Array(5 * PAGES);
  for (let i = 0; i < frames.length; i++) frames[i] = 100_000 + ((i * 7919) % 65_521);
  for (let i = 0; i < PAGES; i++) frames[2 * PAGES + i] = 3 * PAGES + i;
  table.map(0n, frames, protection({ write: true }));
  const blocks = [...table.leaves()].filter(({ leafShift }) => leafShift === 21);
  expect(blocks.map(({ va, pfn, count }) => [va, pfn, count])).toEqual([
    [BigInt(2 * PAGES * 4096), 3 * PAGES, 1],
  ]);
  // A PUD table, a PMD table, and four PTE tables: none for the block.
  expect(table.counters.tablesAllocated).toBe(1 + 2 + 4);
});

test('the calls over whole tables above have met every case', () => {
  for (const what of [
    'map',
    'map refused',
    'mapRange',
    'mapRange refused',
    'unmap',
    'protect',
    'adjacent',
    'apart',
    'blocks',
    'own',
    'strange',
  ]) {
    expect(reached.get(what) ?? 0, what).toBeGreaterThan(10);
  }
});

interface Stage {
  readonly table: PageTable;
  readonly other: PageTable;
  readonly memory: PhysicalMemory;
  readonly frames: FrameAllocator;
  readonly base: bigint;
  readonly isScattered: boolean;
}

function play(step: Step, stage: Stage, model: (Page | null)[], salt: number): void {
  const { table, other, memory, frames, base, isScattered } = stage;
  if (step.op === 'prepare') {
    const by = step.other ? other : table;
    prepareTables(by, base + (BigInt(step.table * PAGES) << 12n), 4096);
    return;
  }
  const { op, first, pages, write, execute, block } = step;
  // A right in the low word of an entry, or one that x86-64 and arm64 have in the high word.
  const fields = block ? { execute } : { write };
  const given = protection({ write, execute, global: true });
  const va = base + (BigInt(first) << 12n);
  const bytes = BigInt(pages) << 12n;
  if (op === 'unmap') table.unmap(va, bytes);
  if (op === 'protect') table.protect(va, bytes, fields);
  if (op === 'unmap' || op === 'protect') {
    for (let page = first; page < first + pages; page++) {
      const was = model[page] as Page | null;
      if (was !== null) model[page] = op === 'unmap' ? null : { ...was, ...fields };
    }
    note(op);
    return;
  }
  const list = framesOf(first, pages, block, salt);
  const isFree = model.slice(first, first + pages).every((page) => page === null);
  const map = () =>
    op === 'map'
      ? table.map(va, list, given)
      : table.mapRange(va, BigInt(salt) << 12n, bytes, given, { maxLeafShift: block ? 21 : 12 });
  if (!isFree) {
    // With scattered frames, an allocation that was undone has still drawn a random number.
    const before = isScattered ? null : fingerprint({ memory, frames });
    expect(map).toThrow('EBUSY');
    if (before !== null) expect(fingerprint({ memory, frames })).toBe(before);
    note(`${op} refused`);
    return;
  }
  map();
  for (let i = 0; i < pages; i++) {
    model[first + i] = { pfn: op === 'map' ? (list[i] as number) : salt + i, write, execute };
  }
  note(op);
}

/** Each page is what the array says, and the live count of each table is what its bytes say. */
function judge(
  table: PageTable,
  frames: FrameAllocator,
  base: bigint,
  model: readonly (Page | null)[],
): void {
  const found: (string | null)[] = new Array(TABLES * PAGES).fill(null);
  for (const { va, count, leafShift, pfn, flags, level } of table.leaves()) {
    const { lo, hi } = { lo: Number(BigInt.asIntN(32, flags)), hi: Number(BigInt.asIntN(32, flags >> 32n)) };
    const { write, execute } = table.format.decode({ lo, hi }, level);
    const size = 2 ** (leafShift - 12);
    if (size > 1) note('blocks');
    const start = Number((va - base) >> 12n);
    for (let i = 0; i < count * size; i++) found[start + i] = `${pfn + i} ${write} ${execute}`;
  }
  const wanted = model.map((page) => (page === null ? null : `${page.pfn} ${page.write} ${page.execute}`));
  const differs = wanted.findIndex((page, i) => page !== found[i]);
  if (differs >= 0) expect.fail(`page ${differs}: ${found[differs]} instead of ${wanted[differs]}`);
  const records = TableRecords.of(frames);
  const tables: number[] = [];
  for (let i = 0; i < TABLES; i++) {
    const { steps: walked } = table.walk(base + (BigInt(i * PAGES) << 12n));
    const last = walked[depthOf(table) - 1];
    if (last === undefined) continue;
    const pfn = Number(last.table >> 12n);
    tables.push(pfn);
    note(records.find(pfn) < 0 ? 'strange' : 'own');
    if (records.find(pfn) < 0) continue;
    const live = wanted.slice(i * PAGES, (i + 1) * PAGES).filter((page) => page !== null).length;
    expect(records.live(records.find(pfn)), `live entries of table ${i}`).toBe(live);
  }
  for (let i = 1; i < tables.length; i++)
    note(tables[i] === (tables[i - 1] as number) + 1 ? 'adjacent' : 'apart');
}

/** Levels of the table's format. */
function depthOf({ format }: PageTable): number {
  return format.levels.length;
}
