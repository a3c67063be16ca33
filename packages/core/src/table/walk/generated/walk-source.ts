import type { LevelPlan, Plan } from '../../../format/plan.js';
import type { BankSpan } from '../../../loops/run-loops.js';
import { lastTableWord, type TableWindow, tableWindow } from '../bank-window.js';
import { tableInside } from '../flat-finder.js';
import { type Compare, ownPage, plainPage } from '../plain-page.js';
import { rangeTest } from '../walk-end.js';
import { slotOf, spread, testOf, turned } from './expressions.js';

/**
 * The source of a walk for roots of one format in one bank: the body of a function that gets `FlatWalk` and returns a class of it. It is
 * made of the numbers of the plan alone. Whatever the walk does not meet in an ordinary table goes to `FlatWalk`.
 *
 * @param bank - one that `FlatFinder.fits`.
 */
export function walkSource(plan: Plan, bank: BankSpan): string {
  const { address, last } = plan;
  const frame = `(${turned(address.lowLo, address.lowHi, address.lowRotate)}) >>> 0`;
  return [
    "'use strict';",
    'return class GeneratedWalk extends FlatWalk {',
    'translate(high, low) {',
    ...walkTo(plan, bank, endsBelow),
    '  const lo = words[at], hi = words[at | 1];',
    `  if (${testOf(plainPage(plan))}) { level = ${last}; break walk; }`,
    `  return ${frame};`,
    '}',
    'return this.noPage(level, at, high, low);',
    '}',
    'entryOf(high, low) {',
    ...walkTo(plan, bank, endsBelow),
    '  return at;',
    '}',
    'return this.noEntry(level, at, high, low);',
    '}',
    'mapPage(high, low, pfn, flagsLo, flagsHi) {',
    ...walkTo(plan, bank, () => 'return false;'),
    'if (words[at] | words[at | 1]) return false;',
    `words[at] = flagsLo${spread(address.lowLo, address.lowRotate)};`,
    `words[at | 1] = flagsHi${spread(address.lowHi, address.lowRotate)};`,
    ...counted(plan, 1),
    'return true;',
    '}',
    'unmapPage(high, low, sink) {',
    ...walkTo(plan, bank, () => 'return -2;'),
    'const lo = words[at], hi = words[at | 1];',
    'if (!(lo | hi)) return -1;',
    `if (${testOf(ownPage(plan))}) return -2;`,
    'if (sink === null) this.flushed++;',
    'else this.removing(sink, at, lo, hi);',
    'words[at] = 0;',
    'words[at | 1] = 0;',
    ...counted(plan, -1),
    `return ${frame};`,
    '}',
    '};',
  ].join('\n');
}

/** The statements that count an entry which a call has made or cleared. */
function counted({ pageShift }: Plan, entries: 1 | -1): readonly string[] {
  return [
    `const record = (at >>> ${pageShift - 2}) + this.record;`,
    // A frame of another allocator has no record: its place is outside of the array, or 0.
    `if (this.levels[record] > 0) this.live[record] += ${entries};`,
    'this.changed++;',
  ];
}

/** The end of a walk that tells its level: a block around the walk ends, and a call below it does the rest. */
function endsBelow(level: number): string {
  return `{ level = ${level}; break walk; }`;
}

/**
 * The statements that find the entry of the last level: `at`.
 *
 * V8 inlines a method of at most 460 bytes of bytecode. So a test is no compare with 0, and a walk ends early in few bytes: with a call at each
 * level `translate` has 502 for x86-64 (a translation took 12 ns instead of 9.5, Node 20).
 *
 * @param ends - the statement that ends it in the entry of a level; -1 for an address outside of the range.
 */
function walkTo(plan: Plan, bank: BankSpan, ends: (level: number) => string): readonly string[] {
  const { last } = plan;
  const { aboveShift, zeros, ones } = rangeTest(plan);
  const bias = -Math.min(zeros, ones) | 0;
  return [
    'const words = this.words;',
    ...(ends === endsBelow ? ['let level = -1, at = 0;', 'walk: {'] : ['let at = 0;']),
    `if (((high >> ${aboveShift}) + ${bias}) >>> 0 > ${Math.abs(zeros - ones)}) ${ends(-1)}`,
    // With one level no compare of a table tells that the view is detached.
    ...(last === 0 ? [`if (words.length === 0) ${ends(0)}`] : []),
    ...stepsOf(plan, bank, ends),
  ];
}

/** The statements that go from table to table. */
function stepsOf(plan: Plan, bank: BankSpan, ends: (level: number) => string): readonly string[] {
  const window = tableWindow(plan, bank);
  const { offset, insideLo, insideHi, rotate } = window;
  const lastTable = lastTableWord(plan, bank);
  // A bank that fills its window has every table that the window has.
  const isFull = offset === 0 && reach(insideLo, insideHi, rotate) === lastTable;
  const readHigh = insideHi === 0 ? 'words[at | 1]' : '(second = words[at | 1])';
  const lines = insideHi === 0 ? ['let first;'] : ['let first, second;'];
  // An entry's place in its table has other bits than the place of the table.
  let at = `this.rootWord | ${slotOf(plan.levels[0] as LevelPlan)}`;
  for (const [above, level] of plan.levels.slice(1).entries()) {
    const inside = tableInside(plan.levels[above] as LevelPlan, window);
    // The low word is read here. Its part of the test is never empty: an entry that is 0 is no table.
    const test = testOf(inside, [`(first = words[at = ${at}])`, readHigh]);
    const word = tableWord(inside, window);
    lines.push(`if (${test}) ${ends(above)}`);
    at = `${word} | ${slotOf(level)}`;
    if (isFull) continue;
    lines.push(`const table${above} = ${offset === 0 ? word : `(${word}) - ${offset}`} | 0;`);
    lines.push(`if (table${above} >>> 0 > ${lastTable}) ${ends(above)}`);
    at = `table${above} | ${slotOf(level)}`;
  }
  return [...lines, `at = ${at};`];
}

/** The word index of the table that an entry points to, from the start of the window, once the entry has met the test "is a table inside". */
function tableWord(inside: Compare, { insideLo, insideHi, rotate }: TableWindow): string {
  const low = 31 - Math.clz32(insideLo & -insideLo);
  const above = ~insideLo & (-1 << low);
  // Where the test has shown that no bit is set above those of the frame, two shifts take less bytecode than a mask of 32 bits.
  const isAlone = insideHi === 0 && (inside.maskLo & above) === above && (inside.valueLo & above) === 0;
  if (isAlone && rotate > 0 && rotate <= low) return `first >>> ${low} << ${low - rotate}`;
  return turned(insideLo, insideHi, rotate, ['first', 'second']);
}

/** The highest word index that entries in the window can give. */
function reach(lo: number, hi: number, by: number): number {
  const word = lo | hi;
  return ((word >>> by) | (word << (32 - by))) >>> 0;
}
