import {
  joinWords,
  type Level,
  type PageTableFormat,
  type Rule,
  toBigint,
  type Words,
  words,
} from '@vmarea/core';

/** `0x` and 16 digits: what test failures are read in. */
export function hex(value: bigint | Words): string {
  const bits = typeof value === 'bigint' ? value : joinWords(value.lo, value.hi);
  return `0x${bits.toString(16).padStart(16, '0')}`;
}

/** What a format's data says an entry is, and the fault of the rule that it breaks. */
export function kindOf(format: PageTableFormat, level: number, entry: bigint): string {
  const has = (match: { mask: Words; value: Words }) =>
    (entry & toBigint(match.mask)) === toBigint(match.value);
  if (entry === 0n) return 'none';
  if (!has(format.present)) return 'absent';
  const { table, leaf } = format.levels[level] as Level;
  const broken = (rule: Rule) => has(rule) !== (rule.must === 'equal');
  for (const [name, shape] of [['table', table] as const, ['leaf', leaf] as const]) {
    if (shape !== null && has(shape.match)) return shape.rules.find(broken)?.fault ?? name;
  }
  return 'reserved';
}

/** Entry words of a path, from 64-bit values. */
export function pathOf(...entries: bigint[]): Words[] {
  return entries.map(words);
}
