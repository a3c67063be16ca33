import {
  applyToRange,
  collapseLeaves,
  hex,
  type Level,
  type PageTableFormat,
  protection,
  splitLeaves,
  toBigint,
  words,
} from '@vmarea/core';
import { codeOf, ensure, same } from '../assert.js';
import type { Case, Group } from '../case.js';
import { Machine, placeOf, type Size, sizesOf } from '../machine.js';
import { combinations, encoded, leavesInUse } from '../members.js';
import { addressBits, addressMask, kindOf, type Read } from '../tools/entries.js';
import { rightsOf, rightsOfLeaves } from '../tools/rights-of-leaves.js';

/**
 * A block that is cut gives and takes no right outside the range that the call names, whatever stands in the block and in the
 * entries above it. `permissions` is asked of every page, under every control.
 */
export const cuts: Group = {
  name: 'cuts',
  cases: ({ format }) =>
    sizesOf(format)
      .filter(({ level, entries }) => entries === 1 && level < format.levels.length - 1)
      .flatMap((size): Case[] => [
        ...Object.keys(CALLS).map((name) => ({
          id: `${name}:block=${size.name}`,
          run: () => cutAll(format, size, name as keyof typeof CALLS),
        })),
        ...Array.from({ length: size.level }, (_, above) => ({
          id: `below=${format.levels[above]?.name}:block=${size.name}`,
          run: () => cutBelow(format, size, above),
        })),
        { id: `own-tables:block=${size.name}`, run: () => cutWithOwn(format, size) },
        { id: `collapse:block=${size.name}`, run: () => collapseAll(format, size) },
      ]),
};

/** Calls that name one page of a block. */
const CALLS = {
  protect: ({ table, page }: Machine, va: bigint): void =>
    table.protect(va, page, { write: table.walk(va).leaf?.protection.write === false }),
  unmap: ({ table, page }: Machine, va: bigint): void => table.unmap(va, page),
  split: ({ table, page }: Machine, va: bigint): void => splitLeaves(table, va, page),
  apply: ({ table, page }: Machine, va: bigint): void => {
    applyToRange(table, va, page, () => undefined, { blocks: 'split' });
  },
} as const;

const NAMES = Object.keys(CALLS) as (keyof typeof CALLS)[];

/** Every kind of leaf, below tables as the engine makes them. */
function cutAll(format: PageTableFormat, size: Size, name: keyof typeof CALLS): void {
  const half = NAMES.indexOf(name) % 2;
  for (const [i, leaf] of kindsOfLeaves(format, size.level).entries())
    if (i % 2 === half) cut({ format, size, leaf }, name);
}

/** Below a table entry that takes something, at one level. */
function cutBelow(format: PageTableFormat, size: Size, above: number): void {
  const leaves = kindsOfLeaves(format, size.level);
  for (const [i, entry] of kindsOfTables(format).entries())
    for (const [j, leaf] of leaves.entries())
      if ((i + j) % 4 === 0) cut({ format, size, leaf, above, entry }, NAMES[(j >> 2) % NAMES.length]);
}

/** By a page table whose own table entries take something, as those of a kernel do. */
function cutWithOwn(format: PageTableFormat, size: Size): void {
  const leaves = kindsOfLeaves(format, size.level);
  for (const [i, own] of kindsOfTables(format).entries())
    for (const [j, leaf] of leaves.entries())
      if ((i + j) % 4 === 0) cut({ format, size, leaf, own }, NAMES[(j >> 2) % NAMES.length]);
}

/** A table of pieces whose entry takes something becomes a block only where the block allows no more. */
function collapseAll(format: PageTableFormat, size: Size): void {
  const leaves = kindsOfLeaves(format, size.level);
  const tables = [toBigint(format.tableEntry), ...kindsOfTables(format)];
  for (const [i, entry] of tables.entries())
    for (const [j, leaf] of leaves.entries()) if ((i + j) % 4 === 0) collapse({ format, size, leaf }, entry);
}

interface Stage {
  readonly format: PageTableFormat;
  readonly size: Size;
  /** The block, without its address. */
  readonly leaf: bigint;
  /** Level of a table entry that takes something, and its bits without the address. */
  readonly above?: number;
  readonly entry?: bigint;
  /** The page table's own table entries. */
  readonly own?: bigint;
}

/** A block as somebody else has written it, in a page table of its own. */
function placed(stage: Stage): { readonly machine: Machine; readonly va: bigint; readonly before: string } {
  const { format, size, leaf, above, entry = 0n, own } = stage;
  // One way to a page needs a table of each level below the root. Less memory is less to fill.
  const machine = new Machine(format, format.levels.length + 1, own);
  const { va, pa } = placeOf(format, size);
  const bytes = 1n << BigInt(size.shift);
  machine.table.mapRange(va, pa, bytes, plainOf(format, size.level), { maxLeafShift: size.shift });
  const reads = machine.reads(va);
  machine.memory.write64(machine.last(va).address, leaf | addressBits(format, pa));
  const table = above === undefined ? undefined : reads[above];
  if (table !== undefined) rewrite(machine, table, entry);
  // The page table's own entries are judged below the block: here its tables are somebody else's.
  else for (const read of reads.slice(0, size.level)) rewrite(machine, read, toBigint(format.tableEntry));
  const [before] = rightsOfLeaves(machine, va, size.level);
  same(before?.bytes, bytes, `bytes of the block ${hex(leaf)}`);
  return { machine, va, before: before?.rights ?? '' };
}

/** Gives an entry that points to a table other bits. */
function rewrite({ format, memory }: Machine, { address, entry }: Read, bits: bigint): void {
  memory.write64(address, bits | (entry & addressMask(format, format.pageShift)));
}

/** Cuts one page out of a block. */
function cut(stage: Stage, name: keyof typeof CALLS = 'protect'): void {
  const { machine, va, before } = placed(stage);
  const what = `${name} of a page of the block ${hex(stage.leaf)}`;
  // Some leaves cannot be changed to what no protection says.
  if (codeOf(() => CALLS[name](machine, va + machine.page)) === 'EINVAL') return;
  ensure(machine.last(va).level > stage.size.level, `${what} makes no smaller leaves`);
  expectSame(machine, va, stage, before, what);
}

/** Splits a block, gives its table another entry, and lets `collapseLeaves` decide. */
function collapse(stage: Stage, entry: bigint): void {
  const { machine, va } = placed(stage);
  const { level, shift } = stage.size;
  splitLeaves(machine.table, va, machine.page);
  rewrite(machine, machine.reads(va)[level] as Read, entry);
  const before = rightsOfLeaves(machine, va, level);
  collapseLeaves(machine.table, va, 1n << BigInt(shift), { maxLeafShift: shift });
  same(
    rightsOfLeaves(machine, va, level),
    before,
    `the rights after collapseLeaves of the block ${hex(stage.leaf)} below the table entry ${hex(entry)}`,
  );
}

/** Every page but the named one has the rights that the block had. */
function expectSame(machine: Machine, va: bigint, { size }: Stage, before: string, what: string): void {
  let bytes = 0n;
  for (const found of rightsOfLeaves(machine, va, size.level, va + machine.page)) {
    bytes += found.bytes;
    if (found.rights !== before)
      throw new Error(`${what}: ${hex(found.va)} had ${before}, and has ${found.rights}`);
  }
  const all = 1n << BigInt(size.shift);
  ensure(
    bytes === all || bytes === all - machine.page,
    `${what}: ${bytes} bytes are mapped outside the page`,
  );
}

function plainOf(format: PageTableFormat, level: number): ReturnType<typeof protection> {
  const found = combinations(format).find((one) => encoded(format, one, level) !== null);
  return found ?? protection();
}

/** What is found once for a format and level, since every case asks for it. */
const known = new WeakMap<PageTableFormat, Map<string, bigint[]>>();

function once(format: PageTableFormat, key: string, find: () => bigint[]): bigint[] {
  const all = known.get(format) ?? new Map<string, bigint[]>();
  known.set(format, all);
  const list = all.get(key) ?? find();
  all.set(key, list);
  return list;
}

/**
 * Leaves of a level that differ in what some mode allows below some table. Each stands for all that are like it. They have one
 * bit more or less than what `encode` says, since others write leaves that it never would.
 */
function kindsOfLeaves(format: PageTableFormat, level: number): bigint[] {
  return once(format, `leaves ${level}`, () => {
    const { shift, run } = format.levels[level] as Level;
    const fixed = addressMask(format, shift) | (run === null ? 0n : toBigint(run.set));
    const tables = [toBigint(format.tableEntry), ...kindsOfTables(format)];
    const found = new Map<string, bigint>();
    const note = (leaf: bigint): void => {
      if (kindOf(format, level, leaf) !== 'leaf') return;
      const rights = tables.map((table) => rightsBelow(format, table, level, leaf)).join();
      if (!found.has(rights)) found.set(rights, leaf);
    };
    const bases = combinations(format)
      .filter(({ accessed, global, memory }) => accessed && !global && memory === format.memoryTypes[0])
      .flatMap((one) => encoded(format, one, level) ?? [])
      .map(toBigint);
    for (const base of bases) {
      note(base);
      for (let bit = 1n; bit < 1n << 64n; bit <<= 1n) if ((bit & fixed) === 0n) note(base ^ bit);
    }
    return [...found.values()];
  });
}

/** Table entries of one bit more or less than the format's that give something to some leaf, or take it. */
function kindsOfTables(format: PageTableFormat): bigint[] {
  return once(format, 'tables', () => {
    const level = format.levels.length - 1;
    const leaves = leavesInUse(format, level).map(toBigint);
    const open = toBigint(format.tableEntry);
    const plain = leaves.map((leaf) => rightsBelow(format, open, level, leaf));
    const found = new Map<string, bigint>();
    for (let bit = 1n; bit < 1n << 64n; bit <<= 1n) {
      const entry = open ^ bit;
      if ((bit & addressMask(format, format.pageShift)) !== 0n) continue;
      if (!format.levels.every(({ table }, i) => table === null || kindOf(format, i, entry) === 'table'))
        continue;
      const rights = leaves.map((leaf) => rightsBelow(format, entry, level, leaf));
      if (rights.some((one, i) => one !== plain[i])) found.set(rights.join(), entry);
    }
    return [...found.values()];
  });
}

/** What a leaf allows in each mode, below tables that are all alike. */
function rightsBelow(format: PageTableFormat, table: bigint, level: number, leaf: bigint): string {
  return rightsOf(format, [...Array.from({ length: level }, () => words(table)), words(leaf)]);
}
