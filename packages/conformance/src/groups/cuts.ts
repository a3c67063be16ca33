import {
  applyToRange,
  type Controls,
  collapseLeaves,
  hex,
  type Level,
  type PageTableFormat,
  protection,
  splitLeaves,
  toBigint,
  type Words,
  words,
} from '@vmarea/core';
import { codeOf, ensure, same } from '../assert.js';
import type { Case, Group } from '../case.js';
import { Machine, placeOf, type Size, sizesOf } from '../machine.js';
import { combinations, controlsOf, encoded } from '../members.js';
import { addressBits, addressMask, kindOf } from '../tools/entries.js';
import { rightsOfLeaves } from '../tools/rights-of-leaves.js';

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
  for (const leaf of kindsOfLeaves(format, size.level)) cut({ format, size, leaf }, name);
}

/** Below a table entry that takes something, at one level. */
function cutBelow(format: PageTableFormat, size: Size, above: number): void {
  const leaves = kindsOfLeaves(format, size.level);
  for (const [i, entry] of kindsOfTables(format, size.level, leaves).entries())
    for (const [j, leaf] of leaves.entries())
      if ((i + j) % 3 === 0) cut({ format, size, leaf, above, entry }, NAMES[j % NAMES.length]);
}

/** By a page table whose own table entries take something, as those of a kernel do. */
function cutWithOwn(format: PageTableFormat, size: Size): void {
  const leaves = kindsOfLeaves(format, size.level);
  for (const [i, own] of kindsOfTables(format, size.level, leaves).entries())
    for (const [j, leaf] of leaves.entries()) cut({ format, size, leaf, own }, NAMES[(i + j) % NAMES.length]);
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

/** Cuts one page out of a block, and where that is possible makes the block again. */
function cut(stage: Stage, name: keyof typeof CALLS = 'protect'): void {
  const { format, size, leaf, above, entry = 0n, own } = stage;
  const machine = new Machine(format, 4 + 2 * format.levels.length, own);
  const { va, pa } = placeOf(format, size);
  const bytes = 1n << BigInt(size.shift);
  machine.table.mapRange(va, pa, bytes, plainOf(format, size.level), { maxLeafShift: size.shift });
  const reads = machine.reads(va);
  const address = addressMask(format, format.pageShift);
  machine.memory.write64(machine.last(va).address, leaf | addressBits(format, pa));
  const table = above === undefined ? undefined : reads[above];
  if (table !== undefined) machine.memory.write64(table.address, entry | (table.entry & address));
  // What the engine puts above, the test does not judge here: the block is somebody else's.
  else if (own !== undefined) openAbove(machine, va, size.level);

  const what = `${name} of a page of the block ${hex(leaf)}`;
  const [before] = rightsOfLeaves(machine, va, size.level);
  same(before?.bytes, bytes, `${what}: bytes of the block`);
  // Some leaves cannot be changed to what no protection says.
  if (codeOf(() => CALLS[name](machine, va + machine.page)) === 'EINVAL') return;
  ensure(machine.last(va).level > size.level, `${what} makes no smaller leaves`);
  expectSame(machine, va, stage, before?.rights, what);
  if (name !== 'split') return;
  collapseLeaves(machine.table, va, bytes, { maxLeafShift: size.shift });
  expectSame(machine, va, stage, before?.rights, `${what}, and collapse`);
}

/** Every page but the named one has the rights that the block had. */
function expectSame(
  machine: Machine,
  va: bigint,
  { size }: Stage,
  before: string | undefined,
  what: string,
): void {
  let bytes = 0n;
  for (const found of rightsOfLeaves(machine, va, size.level)) {
    if (found.va === va + machine.page) continue;
    bytes += found.bytes;
    if (found.rights !== before)
      throw new Error(`${what}: ${hex(found.va)} had ${before ?? 'nothing'}, and has ${found.rights}`);
  }
  const all = 1n << BigInt(size.shift);
  ensure(
    bytes === all || bytes === all - machine.page,
    `${what}: ${bytes} bytes are mapped outside the page`,
  );
}

/** Takes from the tables above a block what a page table's own entries forbid. */
function openAbove(machine: Machine, va: bigint, level: number): void {
  const { format, memory } = machine;
  const open = toBigint(format.tableEntry);
  for (const read of machine.reads(va).slice(0, level))
    memory.write64(read.address, open | (read.entry & addressMask(format, format.pageShift)));
}

function plainOf(format: PageTableFormat, level: number): ReturnType<typeof protection> {
  const found = combinations(format).find((one) => encoded(format, one, level) !== null);
  return found ?? protection();
}

/** Leaves of a level that differ in what some mode allows, tables left aside. Each stands for all that are like it. */
function kindsOfLeaves(format: PageTableFormat, level: number): bigint[] {
  const { shift, run } = format.levels[level] as Level;
  const fixed = addressMask(format, shift) | (run === null ? 0n : toBigint(run.set));
  const found = new Map<string, bigint>();
  const note = (leaf: bigint): void => {
    if (kindOf(format, level, leaf) !== 'leaf') return;
    const rights = rightsBelow(format, format.tableEntry, level, leaf);
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
}

/** Table entries of one bit more or less than the format's that take something from some leaf. */
function kindsOfTables(format: PageTableFormat, level: number, leaves: readonly bigint[]): bigint[] {
  const plain = leaves.map((leaf) => rightsBelow(format, format.tableEntry, level, leaf));
  const found = new Map<string, bigint>();
  for (let bit = 1n; bit < 1n << 64n; bit <<= 1n) {
    const entry = toBigint(format.tableEntry) ^ bit;
    if ((bit & addressMask(format, format.pageShift)) !== 0n) continue;
    if (!format.levels.every(({ table }, i) => table === null || kindOf(format, i, entry) === 'table'))
      continue;
    const rights = leaves.map((leaf) => rightsBelow(format, words(entry), level, leaf));
    if (rights.some((one, i) => one !== plain[i])) found.set(rights.join(), entry);
  }
  return [...found.values()];
}

/** What a leaf allows in each mode, below tables that are all alike. */
function rightsBelow(format: PageTableFormat, table: Words, level: number, leaf: bigint): string {
  const path = [...Array.from({ length: level }, () => table), words(leaf)];
  return controlsOf(format)
    .map(([, controls]: [string, Controls]) => JSON.stringify(format.permissions(path, controls)))
    .join();
}
