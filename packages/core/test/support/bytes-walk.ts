import type { Level, Match, PageTableFormat, PhysicalMemory, Rule } from '@vmarea/core';
import { toBigint } from '@vmarea/core';

/** What the bytes say about one page, found without any code of the engine: bigint arithmetic, one entry at a time. */
export interface ByteWalk {
  /** Physical address of the page, in bytes. */
  pa: bigint;
  level: number;
  entry: bigint;
}

/** Mask and value of each match that was met, as bigint. */
const known = new WeakMap<Match, { mask: bigint; value: bigint }>();

function isMatch(entry: bigint, match: Match): boolean {
  let found = known.get(match);
  if (found === undefined) {
    found = { mask: toBigint(match.mask), value: toBigint(match.value) };
    known.set(match, found);
  }
  return (entry & found.mask) === found.value;
}

const isKept = (entry: bigint, rule: Rule): boolean =>
  rule.when !== undefined && !isMatch(entry, rule.when)
    ? true
    : isMatch(entry, rule) === (rule.must === 'equal');

function addressIn(format: PageTableFormat, entry: bigint): bigint {
  let pa = 0n;
  for (const { entryBit, paBit, width } of format.address) {
    pa |= ((entry >> BigInt(entryBit)) & ((1n << BigInt(width)) - 1n)) << BigInt(paBit);
  }
  return pa;
}

/** Walks one address over raw bytes; `null` where nothing is mapped. */
export function walkBytes(
  format: PageTableFormat,
  memory: PhysicalMemory,
  root: bigint,
  va: bigint,
): ByteWalk | null {
  let table = root;
  const low = va & ((1n << BigInt(format.range.bits)) - 1n);
  for (let index = 0; index < format.levels.length; index++) {
    const level = format.levels[index] as Level;
    const slot = (low >> BigInt(level.shift)) & ((1n << BigInt(level.bits)) - 1n);
    const entry = memory.read64(table + 8n * slot);
    if (!isMatch(entry, format.present)) return null;
    if (level.table !== null && isMatch(entry, level.table.match)) {
      if (!level.table.rules.every((rule) => isKept(entry, rule))) return null;
      table = addressIn(format, entry);
      continue;
    }
    if (level.leaf === null || !isMatch(entry, level.leaf.match)) return null;
    if (!level.leaf.rules.every((rule) => isKept(entry, rule))) return null;
    const size = 1n << BigInt(level.shift);
    let pa = addressIn(format, entry);
    pa -= pa % size;
    if (level.run?.style === 'napot' && (entry & toBigint(level.run.set)) !== 0n) {
      const runSize = size * BigInt(level.run.entries);
      pa = pa - (pa % runSize) + ((low % runSize) - (low % size));
    }
    const page = 1n << BigInt(format.pageShift);
    return { pa: pa + (low % size) - (low % page), level: index, entry };
  }
  return null;
}
