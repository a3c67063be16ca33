import {
  hex,
  type Level,
  type MemoryType,
  type PageTableFormat,
  type Protection,
  protection,
  type Run,
  toBigint,
  words,
} from '@vmarea/core';
import { same } from '../assert.js';
import type { Case, Group } from '../case.js';
import { sizesOf } from '../machine.js';
import type { Change } from '../manual.js';
import { encoded } from '../members.js';
import { addressBits } from '../tools/entries.js';

type Pair = readonly [before: bigint, after: bigint];

/** Which changes of a valid entry need a break, as the manual has it. */
export const breaks: Group = {
  name: 'breaks',
  cases: ({ format }, { manual }): Case[] => {
    const { breaks: needed } = manual;
    if (needed === undefined) return [];
    const levels = new Set(sizesOf(format).map(({ level }) => level));
    return [...levels].flatMap((level) =>
      (Object.keys(PAIRS) as Change[])
        .filter((change) => isPossible(format, level, change))
        .map((change) => ({
          id: `${change}:level=${format.levels[level]?.name}`,
          run: () => judge(format, level, PAIRS[change](format, level), needed.includes(change)),
        })),
    );
  },
};

function isPossible(format: PageTableFormat, level: number, change: Change): boolean {
  const { table, run } = format.levels[level] as Level;
  if (change === 'size') return table !== null;
  if (change === 'run') return run !== null;
  return change !== 'memory' || otherMemory(format) !== undefined;
}

/** A type that is not normal memory; Linux takes Normal-Tagged for that, too. */
function otherMemory({ memoryTypes }: PageTableFormat): MemoryType | undefined {
  return memoryTypes.find((type) => type !== 'normal' && type !== 'tagged');
}

function judge(format: PageTableFormat, level: number, pairs: readonly Pair[], isNeeded: boolean): void {
  for (const [before, after] of pairs) {
    const what = (to: bigint): string => `a break is needed from ${hex(before)} to ${hex(to)}`;
    same(format.needsBreak(words(before), words(after), level), isNeeded, what(after));
    same(format.needsBreak(words(before), words(before), level), false, what(before));
  }
}

/** A leaf of kernel memory at twice its size, with other members; nothing where the format cannot say it. */
function leafOf(format: PageTableFormat, level: number, fields: Partial<Protection>): bigint[] {
  const bits = encoded(format, protection({ write: true, ...fields }), level);
  return bits === null ? [] : [toBigint(bits) | addressBits(format, addressAt(format, level))];
}

function addressAt(format: PageTableFormat, level: number): bigint {
  return 1n << BigInt(format.levels[level]?.shift ?? 0);
}

/** Both ways between what two lists hold; nothing where one of them is empty. */
function between([one]: readonly bigint[], [other]: readonly bigint[]): Pair[] {
  if (one === undefined || other === undefined) return [];
  return [
    [one, other],
    [other, one],
  ];
}

const PAIRS: Readonly<Record<Change, (format: PageTableFormat, level: number) => Pair[]>> = {
  size(format, level) {
    const table = toBigint(format.tableEntry) | addressBits(format, addressAt(format, level));
    return between(leafOf(format, level, {}), [table]);
  },
  run(format, level) {
    const run = format.levels[level]?.run as Run;
    // A NAPOT run says its size in the low bits of the frame.
    const size =
      run.style === 'napot' ? addressBits(format, addressAt(format, level) * BigInt(run.entries / 2)) : 0n;
    const address = addressBits(format, addressAt(format, level));
    const marked = leafOf(format, level, {}).map((leaf) => (leaf & ~address) | toBigint(run.set) | size);
    return between(leafOf(format, level, {}), marked);
  },
  frame(format, level) {
    const address = addressBits(format, addressAt(format, level));
    return leafOf(format, level, {}).flatMap((leaf) => between([leaf], [leaf & ~address]));
  },
  memory(format, level) {
    const memory = otherMemory(format) ?? 'normal';
    return between(leafOf(format, level, {}), leafOf(format, level, { memory }));
  },
  global(format, level) {
    const pairs = between(leafOf(format, level, {}), leafOf(format, level, { global: true }));
    return pairs.slice(0, 1);
  },
  rights(format, level) {
    return [
      ...between(leafOf(format, level, {}), leafOf(format, level, { write: false })),
      ...between(
        leafOf(format, level, { write: false }),
        leafOf(format, level, { write: false, execute: true }),
      ),
    ];
  },
};
