import type { Random } from '@vmarea/compare';
import { type Level, type PageTableFormat, type PhysicalMemory, toBigint } from '@vmarea/core';
import type { Subject, Target } from '../target.js';
import { addressBits, inRange } from './address.js';
import { anyFrame, anyLeaf, below, bits64, chance, oneOf } from './draw.js';
import { TableFrames, type Tables } from './tables.js';

/** The tables of each level below the root. */
const TABLES = 4;
/** The number of entries of a table. */
const SLOTS = 14;

interface Made {
  readonly level: number;
  readonly at: bigint;
  /** The slots with an entry. */
  readonly slots: number[];
  /** The tables that slots point to. */
  readonly children: Map<number, Made>;
}

/** Makes tables of random entries, legal or not, at every level. */
export function randomEntries(
  target: Target,
  { format }: Subject,
  memory: PhysicalMemory,
  random: Random,
): Tables {
  const frames = new TableFrames(format, target.ram);
  const kept = target.rootEntries(format);
  const levels = format.levels.map((_, level): Made[] =>
    Array.from({ length: level === 0 ? 1 : TABLES }, () => ({
      level,
      at: level === 0 ? frames.root(random) : frames.table(random),
      slots: [],
      children: new Map(),
    })),
  );
  const root = levels[0]?.[0] as Made;
  for (const table of levels.flat()) {
    const { bits } = format.levels[table.level] as Level;
    for (let i = 0; i < SLOTS; i++) {
      // The first and the last slot are more likely.
      const slot = chance(random, 15) ? oneOf(random, [0, 2 ** bits - 1]) : random.next(2 ** bits);
      if (table === root && kept.has(slot)) continue;
      const child = oneOf(random, levels[table.level + 1] ?? []) as Made | undefined;
      const entry = entryOf(target, format, table.level, child?.at ?? null, random);
      memory.write64(table.at + 8n * BigInt(slot), entry);
      table.slots.push(slot);
      if (child !== undefined) table.children.set(slot, child);
    }
  }
  for (const [slot, entry] of kept) memory.write64(root.at + 8n * BigInt(slot), entry);
  return { memory, root: root.at, addresses: (draw) => addressIn(format, root, draw) };
}

/** An entry for a slot: the right one, or another. */
function entryOf(
  target: Target,
  format: PageTableFormat,
  level: number,
  child: bigint | null,
  random: Random,
): bigint {
  const { leaf, shift, run } = format.levels[level] as Level;
  const draw = random.next(100);
  if (child !== null && draw < (leaf === null ? 92 : 60)) {
    // The format's table entries forbid nothing; others' do.
    const forbids = chance(random, 25) ? bits64(random) & (target.tableBits ?? 0n) : 0n;
    const entry = toBigint(format.tableEntry) | forbids | addressBits(format, child, format.pageShift);
    return flipped(entry, 10, random);
  }
  if (draw < 95) {
    // The level may have no leaves. Then the bits are those of a level with leaves.
    const as = leaf !== null ? level : leafLevel(format, random);
    let entry =
      anyLeaf(format, as, random) | addressBits(format, anyFrame(format, target.ram, shift, random), shift);
    if (run !== null && chance(random, 30)) entry = withRun(format, level, entry);
    return flipped(entry, 20, random);
  }
  const present = toBigint(format.present.mask);
  const any = bits64(random) & ~present;
  return draw < 97 ? any : any | toBigint(format.present.value);
}

function leafLevel(format: PageTableFormat, random: Random): number {
  return oneOf(
    random,
    format.levels.flatMap(({ leaf }, level) => (leaf === null ? [] : [level])),
  );
}

/** Marks a leaf as part of a run. In a NAPOT run, the frame says the size. */
function withRun(format: PageTableFormat, level: number, entry: bigint): bigint {
  const { run, shift } = format.levels[level] as Level;
  if (run === null) return entry;
  if (run.style === 'consecutive') return entry | toBigint(run.set);
  const size = 1n << BigInt(shift);
  const inside = addressBits(format, BigInt(run.entries - 1) * size, shift);
  return (entry & ~inside) | addressBits(format, BigInt(run.entries / 2) * size, shift) | toBigint(run.set);
}

/** Flips one to three bits of an entry with a probability of `percent`. */
function flipped(entry: bigint, percent: number, random: Random): bigint {
  if (!chance(random, percent)) return entry;
  let result = entry;
  for (let i = random.next(3); i >= 0; i--) result ^= 1n << BigInt(random.next(64));
  return result;
}

/** An address whose walk reads entries of these tables. Sometimes it leaves them. */
function addressIn(format: PageTableFormat, root: Made, random: Random): bigint {
  let low = 0n;
  let table: Made | undefined = root;
  for (const { shift, bits } of format.levels) {
    const isKnown: boolean = table !== undefined && chance(random, 94);
    const slot: number = isKnown ? oneOf(random, (table as Made).slots) : random.next(2 ** bits);
    low |= BigInt(slot) << BigInt(shift);
    table = table?.children.get(slot);
  }
  low |= below(random, 1n << BigInt(format.pageShift));
  return strayed(format, inRange(format, low), random);
}

/** The bit that selects one of two halves of the address space (arm64). */
const HALF = 1n << 55n;

/** An address; sometimes one outside the range, but never in the other half, which has its own tables. */
export function strayed({ range: { bits, upper } }: PageTableFormat, va: bigint, random: Random): bigint {
  const strays = chance(random, 3) ? va ^ (1n << BigInt(bits + random.next(64 - bits))) : va;
  if (upper === 'sign') return strays;
  return upper === 'ones' ? strays | HALF : strays & ~HALF;
}
