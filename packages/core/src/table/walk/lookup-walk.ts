import { rotateRight } from '../../address-codec.js';
import { type LevelPlan, meets } from '../../format/plan.js';
import type { Bank } from '../../memory/bank.js';
import type { TableContext } from '../state/context.js';
import type { Translator } from './translator.js';
import { finish, isInRange, type RangeTest, rangeTest } from './walk-end.js';

// A plan as signed words in one array. To read the numbers from the objects of a plan takes twice as long: V8 checks each
// object, and holds some of the numbers as doubles.
/** The fields of the address codec. */
const LOW_LO = 0;
const LOW_HI = 1;
const LOW_ROTATE = 2;
const HIGH_LO = 3;
const HIGH_LO_ROTATE = 4;
const HIGH_HI = 5;
const HIGH_HI_ROTATE = 6;
/** The levels, root first: where the slot is in the address, and the match of an entry that points to a table. */
const LEVELS = 7;
const LO_SHIFT = 0;
const LO_MASK = 1;
const HI_LEFT = 2;
const HI_RIGHT = 3;
const HI_MASK = 4;
const MASK_LO = 5;
const MASK_HI = 6;
const VALUE_LO = 7;
const VALUE_HI = 8;
const STEP = 9;

/**
 * The walk as a loop, for several banks and sparse images. It looks each table up in the memory. `generatedLookup` makes a class of it with
 * the format's numbers in its code.
 */
export class LookupWalk implements Translator {
  protected readonly context: TableContext;
  readonly #range: RangeTest;
  readonly #words: Int32Array;
  /** Whether the matches in `#words` say all that makes an entry a table. */
  readonly #isPlain: boolean;
  /** log2 bytes of the leaf that the last translation ended in; 0 when there was none. */
  leafShift: number = 0;

  constructor(context: TableContext) {
    const { address, levels } = context.plan;
    this.context = context;
    this.#range = rangeTest(context.plan);
    this.#words = Int32Array.from([
      ...[address.lowLo, address.lowHi, address.lowRotate],
      ...[address.highLo, address.highLoRotate, address.highHi, address.highHiRotate],
      ...levels.flatMap(stepOf),
    ]);
    this.#isPlain = levels.every(({ table }) => table.rest === null);
  }

  translate(vaHi: number, vaLo: number): number {
    this.leafShift = 0;
    if (!isInRange(this.#range, vaHi, vaLo)) return -1;
    const { plan, root } = this.context;
    const { last, pageShift } = plan;
    const own = this.#words;
    const lowLo = own[LOW_LO] as number;
    const lowHi = own[LOW_HI] as number;
    const lowRotate = own[LOW_ROTATE] as number;
    const highLo = own[HIGH_LO] as number;
    const highHi = own[HIGH_HI] as number;
    let { bank, word } = root;
    for (let index = 0, step = LEVELS; ; index++, step += STEP) {
      const { words } = bank;
      const fromLo = (vaLo >>> (own[step + LO_SHIFT] as number)) & (own[step + LO_MASK] as number);
      const fromHi = (vaHi << (own[step + HI_LEFT] as number)) >>> (own[step + HI_RIGHT] as number);
      const at = word + 2 * (fromLo | (fromHi & (own[step + HI_MASK] as number)));
      const lo = words[at] as number;
      const hi = words[at + 1] as number;
      const differs =
        ((lo & (own[step + MASK_LO] as number)) ^ (own[step + VALUE_LO] as number)) |
        ((hi & (own[step + MASK_HI] as number)) ^ (own[step + VALUE_HI] as number));
      if (index === last || differs !== 0) return this.end(index, lo, hi, vaHi, vaLo);
      if (!this.#isPlain && !meets((plan.levels[index] as LevelPlan).table, lo, hi)) {
        return this.end(index, lo, hi, vaHi, vaLo);
      }
      const low = rotateRight((lo & lowLo) | (hi & lowHi), lowRotate);
      let high = 0;
      if (((lo & highLo) | (hi & highHi)) !== 0) {
        high =
          rotateRight(lo & highLo, own[HIGH_LO_ROTATE] as number) |
          rotateRight(hi & highHi, own[HIGH_HI_ROTATE] as number);
      }
      // No two banks have a frame. The bank of the table above mostly has it, and then one search is enough.
      word = bank.wordAt(low, high, pageShift);
      if (word >= 0) continue;
      const other = this.bankBeyond(bank, low, high);
      if (other === null) return -1;
      bank = other;
      word = bank.wordAt(low, high, pageShift);
    }
  }

  /** The bank of a frame that is not in the bank of the table above; `null` where no bank has it. */
  protected bankBeyond(bank: Bank, low: number, high: number): Bank | null {
    const { memory, plan } = this.context;
    // The bank of one fetched frame is none of the memory's banks.
    if (memory.banks.length === 1 && bank === memory.banks[0]) return null;
    return memory.bankOf(high * 4294967296 + (low >>> 0), plan.pageShift);
  }

  /** The translation of an address whose walk ends in an entry that is no table. */
  protected end(index: number, lo: number, hi: number, vaHi: number, vaLo: number): number {
    const { plan } = this.context;
    const pfn = finish(plan, index, lo, hi, vaHi, vaLo);
    if (pfn >= 0) this.leafShift = (plan.levels[index] as LevelPlan).shift;
    return pfn;
  }
}

function stepOf({ slot, table }: LevelPlan): number[] {
  return [
    ...[slot.loShift, slot.loMask, slot.hiLeft, slot.hiRight, slot.hiMask],
    ...[table.maskLo, table.maskHi, table.valueLo, table.valueHi],
  ];
}
