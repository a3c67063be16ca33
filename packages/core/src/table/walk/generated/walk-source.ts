import type { LevelPlan, Plan } from '../../../format/plan.js';
import type { BankSpan } from '../../../loops/run-loops.js';
import { lastTableWord, tableWindow } from '../bank-window.js';
import { tableInside } from '../flat-finder.js';
import { type Compare, plainPage } from '../plain-page.js';
import { rangeTest } from '../walk-end.js';

/**
 * The source of a walk for roots of one format in one bank: the body of a function that gets `FlatWalk` and returns a class of it. It is
 * made of the numbers of the plan alone. Whatever the walk does not meet in an ordinary table goes to `FlatWalk`.
 *
 * @param bank - one that `FlatFinder.fits`.
 */
export function walkSource(plan: Plan, bank: BankSpan): string {
  const { levels, address } = plan;
  const steps = levels.flatMap((level) => stepOf(plan, bank, level));
  // With one level no compare of a table tells that the view is detached.
  if (plan.last === 0) steps.push(miss('words.length === 0', 0));
  const plain = testOf(plainPage(plan));
  const walk = (missed: string, outside: string): readonly string[] =>
    steps.map((step) => step.replace(/MISS\((\d)\)/, missed).replace('OUTSIDE', outside));
  return [
    "'use strict';",
    'return class GeneratedWalk extends FlatWalk {',
    'translate(high, low) {',
    ...walk('this.noPage($1, at, high, low)', '-1'),
    'const lo = words[at], hi = words[at | 1];',
    `if (${plain}) return this.frameAt(at, high, low);`,
    `return (${turned(address.lowLo, address.lowHi, address.lowRotate)}) >>> 0;`,
    '}',
    'entryOf(high, low) {',
    ...walk('this.noEntry($1, at, high, low)', 'this.noEntry(-1, 0, high, low)'),
    'return at;',
    '}',
    'mapPage(high, low, pfn, flagsLo, flagsHi) {',
    ...walk('false', 'false'),
    'if ((words[at] | words[at | 1]) !== 0) return false;',
    `words[at] = flagsLo${spread(address.lowLo, address.lowRotate)};`,
    `words[at | 1] = flagsHi${spread(address.lowHi, address.lowRotate)};`,
    `this.count(at >>> ${plan.pageShift - 2}, 1);`,
    'return true;',
    '}',
    'unmapPage(high, low, sink, maskLo, maskHi, valueLo, valueHi) {',
    ...walk('-2', '-2'),
    'const lo = words[at], hi = words[at | 1];',
    'if ((lo | hi) === 0) return -1;',
    'if (((lo & maskLo) ^ valueLo | (hi & maskHi) ^ valueHi) !== 0) return -2;',
    'if (sink !== null && sink.changing !== undefined) sink.changing();',
    'this.removedAt = at;',
    'this.removedLo = lo;',
    'this.removedHi = hi;',
    'words[at] = 0;',
    'words[at | 1] = 0;',
    `this.count(at >>> ${plan.pageShift - 2}, -1);`,
    `return (${turned(address.lowLo, address.lowHi, address.lowRotate)}) >>> 0;`,
    '}',
    '};',
  ].join('\n');
}

/** The bits of a frame under a mask, rotated to the left, for an entry. */
function spread(mask: number, by: number): string {
  const parts: string[] = [];
  if (by === 0) return mask === 0 ? '' : ` | pfn & ${mask | 0}`;
  if ((mask >>> by) << by !== 0) parts.push(`pfn << ${by}`);
  if (mask << (32 - by) !== 0) parts.push(`pfn >>> ${32 - by}`);
  return parts.length === 0 ? '' : ` | (${parts.join(' | ')}) & ${mask | 0}`;
}

/** The statements that find the entry of a level: `at`. */
function stepOf(plan: Plan, bank: BankSpan, level: LevelPlan): readonly string[] {
  const { levels } = plan;
  const at = `${level.index === 0 ? 'let at = this.rootWord' : 'at = table'} + ${slotOf(level)} | 0;`;
  if (level.index === 0) {
    const { aboveShift, zeros, ones } = rangeTest(plan);
    const bias = -Math.min(zeros, ones) | 0;
    return [
      `if (((high >> ${aboveShift}) + ${bias}) >>> 0 > ${Math.abs(zeros - ones)}) return OUTSIDE;`,
      'const words = this.words;',
      ...(plan.last > 0 ? ['let first, second, table;'] : []),
      at,
    ];
  }
  const above = level.index - 1;
  const window = tableWindow(plan, bank);
  const test = testOf(tableInside(levels[above] as LevelPlan, window), ['first', 'second']);
  const word = turned(window.insideLo, window.insideHi, window.rotate, ['first', 'second']);
  // A bank that fills its window has every table that the window has.
  const isFull =
    reach(window.insideLo, window.insideHi, window.rotate) === lastTableWord(plan, bank) &&
    window.offset === 0;
  return [
    'first = words[at];',
    'second = words[at | 1];',
    miss(test, above),
    `table = (${word})${window.offset === 0 ? '' : ` - ${window.offset} | 0`};`,
    ...(isFull ? [] : [miss(`table >>> 0 > ${lastTableWord(plan, bank)}`, above)]),
    at,
  ];
}

/** Ends the walk in the entry of a level. */
function miss(test: string, level: number): string {
  return `if (${test}) return MISS(${level});`;
}

/** The highest word index that entries in the window can give. */
function reach(lo: number, hi: number, by: number): number {
  const word = lo | hi;
  return ((word >>> by) | (word << (32 - by))) >>> 0;
}

/** Words from the start of a table to an entry. */
function slotOf({ shift, entries }: LevelPlan): string {
  const mask = 2 * (entries - 1);
  const from = shift - 1;
  if (from >= 32) return `(high >>> ${from - 32} & ${mask})`;
  if (shift + Math.log2(entries) <= 32) return `(low >>> ${from} & ${mask})`;
  return `((low >>> ${from} | high << ${32 - from}) & ${mask})`;
}

/** An expression that is not 0 for an entry that fails a compare. */
function testOf({ maskLo, maskHi, valueLo, valueHi }: Compare, [lo, hi] = ['lo', 'hi']): string {
  const parts = [part(lo, maskLo, valueLo), part(hi, maskHi, valueHi)].filter((text) => text !== '');
  return `(${parts.join(' | ') || '0'}) !== 0`;
}

function part(word: string | undefined, mask: number, value: number): string {
  if ((mask | value) === 0) return '';
  return value === 0 ? `${word} & ${mask | 0}` : `${word} & ${mask | 0} ^ ${value | 0}`;
}

/** An expression for the bits under two masks, rotated to the right together. */
function turned(maskLo: number, maskHi: number, by: number, [lo, hi] = ['lo', 'hi']): string {
  const parts = [...halves(lo as string, maskLo, by), ...halves(hi as string, maskHi, by)];
  return parts.join(' | ') || '0';
}

/** Both parts of a rotation that can have bits. */
function halves(word: string, mask: number, by: number): readonly string[] {
  const bits = `(${word} & ${mask | 0})`;
  if (by === 0) return mask === 0 ? [] : [bits];
  const parts: string[] = [];
  if (mask >>> by !== 0) parts.push(`${bits} >>> ${by}`);
  if (mask << (32 - by) !== 0) parts.push(`${bits} << ${32 - by}`);
  return parts;
}
