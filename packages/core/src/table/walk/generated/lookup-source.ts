import type { LevelPlan, Plan } from '../../../format/plan.js';
import { plainPage } from '../plain-page.js';
import { rangeTest } from '../walk-end.js';
import { slotOf, testOf, turned } from './expressions.js';

/**
 * The source of a walk that looks each table up, for roots of one format: the body of a function that gets `LookupWalk` and returns a class
 * of it. It is made of the numbers of the plan alone.
 */
export function lookupSource(plan: Plan): string {
  const { address, last, levels, pageShift } = plan;
  const { aboveShift, zeros, ones, lowBits } = rangeTest(plan);
  return [
    "'use strict';",
    'return class GeneratedLookup extends LookupWalk {',
    // By level: the frame of the last table that was found in the bank of the table above it, that bank, and the word index.
    'constructor(context) {',
    'super(context);',
    ...levels
      .slice(0, last)
      .map(({ index }) => `this.bank${index} = null, this.pfn${index} = this.at${index} = 0;`),
    '}',
    'translate(high, low) {',
    'this.leafShift = 0;',
    `const above = high >> ${aboveShift};`,
    `if (above !== ${zeros} && above !== ${ones}) return -1;`,
    ...(lowBits === 32 ? [] : [`if (low >> ${lowBits} !== above) return -1;`]),
    'const root = this.context.root;',
    'let bank = root.bank, word = root.word, words, at, lo, hi, pfn, pfnHigh;',
    ...levels.flatMap((level) => [
      // `>>> 0`: V8 takes an index for a double otherwise, and converts it at each level.
      `words = bank.words, at = word + ${slotOf(level)} >>> 0, lo = words[at], hi = words[(at | 1) >>> 0];`,
      ...(level.index === last ? [] : tableBelow(plan, level)),
    ]),
    `if (${testOf(plainPage(plan))}) return this.end(${last}, lo, hi, high, low);`,
    `this.leafShift = ${pageShift};`,
    `return (${turned(address.lowLo, address.lowHi, address.lowRotate)}) >>> 0;`,
    '}',
    '};',
  ].join('\n');
}

/** The statements that find the table to which an entry points. */
function tableBelow({ address, pageShift }: Plan, { index, table }: LevelPlan): readonly string[] {
  const { lowLo, lowHi, lowRotate, highLo, highLoRotate, highHi, highHiRotate } = address;
  const high = [turned(highLo, 0, highLoRotate), turned(0, highHi, highHiRotate)];
  return [
    `if (${testOf(table)}) return this.end(${index}, lo, hi, high, low);`,
    `pfn = ${turned(lowLo, lowHi, lowRotate)}, pfnHigh = ${high.join(' | ')};`,
    // A bank has a frame always at the same words, so the last table of a level needs no search.
    `if (pfn === this.pfn${index} && pfnHigh === 0 && bank === this.bank${index}) word = this.at${index};`,
    `else if ((word = bank.wordAt(pfn, pfnHigh, ${pageShift})) >= 0) {`,
    `if (pfnHigh === 0) this.pfn${index} = pfn, this.at${index} = word, this.bank${index} = bank;`,
    '} else {',
    // No two banks have a frame.
    'bank = this.bankBeyond(bank, pfn, pfnHigh);',
    'if (bank === null) return -1;',
    `word = bank.wordAt(pfn, pfnHigh, ${pageShift});`,
    '}',
  ];
}
