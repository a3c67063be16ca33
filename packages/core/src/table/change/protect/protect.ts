import { hex, VmError } from '../../../errors.js';
import { isToldByFlags, type LevelPlan } from '../../../format/plan.js';
import type { Protection } from '../../../format/protection.js';
import { isComplete } from '../../../format/protection.js';
import { loopsOf } from '../../../memory/bank.js';
import { joinWords, toBigint, type Words } from '../../../words.js';
import { hullOf, type PageRange } from '../../page-range.js';
import type { TableContext } from '../../state/context.js';
import { copyOut, highAt, isLeaf, lowAt } from '../../state/entries.js';
import type { OwedFlushes } from '../../state/flush-batch.js';
import { type Cut, findEntries } from '../look/find.js';
import { partOf, type Span } from '../look/span.js';
import { applyCut } from '../resize/cut.js';
import type { ChangeSet } from '../set/change-set.js';
import { changing } from '../set/changing.js';
import { checkFlags, leafFlags } from './leaf-flags.js';

/** Runs of equal leaves shorter than this are faster entry by entry. */
const SHORT = 16;

/**
 * Changes the protection of the leaves of ranges: all of them, or none. Everything else is skipped.
 *
 * A block or run is cut only when its part in the range really changes.
 *
 * @param ranges - one; or several that do not overlap, without cuts: two in one block would each cut it.
 * @param fields - what changes.
 * @param mayCut - whether a block or run that the range covers only in part is cut; else it is refused.
 * @throws VmError `EINVAL` for a protection that the format cannot express, or an end inside a leaf that
 *   must not be cut; `ENOMEM` for a cut.
 */
export function protectPages(
  context: TableContext,
  ranges: readonly PageRange[],
  fields: Partial<Protection>,
  mayCut: boolean,
  batch: OwedFlushes | null,
): void {
  const { format } = context.plan;
  const { memory } = fields;
  // Refused even when nothing is mapped in the range.
  if (memory !== undefined && !format.memoryTypes.includes(memory)) {
    throw new VmError('EINVAL', `${format.name} has no memory type ${memory}`, {
      advice: `it has ${format.memoryTypes.join(', ')}`,
    });
  }
  // A complete protection that no leaf can have is refused too.
  if (isComplete(fields))
    leafFlags(context.plan, fields, context.plan.levels[context.plan.last] as LevelPlan);
  const all = ranges.map((range) => findEntries(context, range, 64, mayCut ? 'cut' : 'refuse'));
  const protect = new Protect(context, fields);
  changing(context, hullOf(ranges), batch, (changes) => {
    const transform = protect.apply.bind(protect);
    const cutter = { context, changes, maxShift: 64, transform };
    for (const found of all) {
      for (const cut of found.cuts) if (changesCut(protect, cut)) applyCut(cutter, cut);
      for (const span of found.spans) {
        context.counters.entriesRead += span.count;
        protect.change(changes, span);
      }
      for (const { first, pages } of found.aliases) changes.widen(first, pages, context.plan.pageShift);
    }
  });
}

/** True when the call's part of a cut changes. */
function changesCut(protect: Protect, { level, bank, at, count, page, from, to }: Cut): boolean {
  const words = copyOut(bank, at, count);
  const first = Math.floor((from - page) / level.pages);
  return protect.apply(words, 2 * first, Math.ceil((to - page) / level.pages) - first, level);
}

/** One change of protection. It asks the format once for each different entry, not for each entry. */
class Protect {
  readonly #context: TableContext;
  readonly #fields: Partial<Protection>;
  /** Flags that were asked for: level, before, after; entries without their address. */
  readonly #known: { level: LevelPlan; lo: number; hi: number; newLo: number; newHi: number }[] = [];

  constructor(context: TableContext, fields: Partial<Protection>) {
    this.#context = context;
    this.#fields = fields;
  }

  /** Changes the leaves of a span: a run with equal flags by a loop, everything else entry by entry. */
  change(changes: ChangeSet, span: Span): void {
    if (changes.shared !== null) {
      changes.shared.change(span, (words, count) => this.apply(words, 0, count, span.level));
      return;
    }
    const { level, bank, at, count } = span;
    let done = 0;
    while (done < count) {
      const equal = this.#changeEqual(changes, partOf(span, done, count - done));
      done += equal;
      if (equal >= SHORT || done === count) continue;
      // Leaves that differ one by one, for example in accessed and dirty: the rest of the table goes entry
      // by entry.
      const rest = Math.min(count - done, level.entries - (done % level.entries));
      const part = partOf(span, done, rest);
      const after = copyOut(bank, at + 2 * done, rest);
      if (this.apply(after, 0, rest, level)) changes.rewrite(part, after);
      done += rest;
    }
  }

  /**
   * Changes the leaves at the start of a span, as long as their flags are equal, and skips empty entries.
   *
   * @returns the number of entries done; 0 when the first leaf's change needs a break, or a look at each
   *   entry.
   */
  #changeEqual(changes: ChangeSet, span: Span): number {
    const { level, bank, at, count } = span;
    const { words } = bank;
    const loops = loopsOf(bank);
    const empty = loops.firstLive(at, count);
    if (empty < 0) return count;
    const lo = lowAt(bank, words, at + 2 * empty);
    const hi = highAt(bank, words, at + 2 * empty);
    if (!isLeaf(level, lo, hi) || !isToldByFlags(level, lo, hi)) return 0;
    const { leafAddressLo, leafAddressHi, leaf } = level;
    const flagsLo = lo & ~leafAddressLo;
    const flagsHi = hi & ~leafAddressHi;
    const { newLo, newHi } = this.#change(this.#context, level, lo, hi, flagsLo, flagsHi);
    const isSame = newLo === flagsLo && newHi === flagsHi;
    if (!isSame) {
      const before = { lo: flagsLo, hi: flagsHi };
      if (this.#context.plan.format.needsBreak(before, { lo: newLo, hi: newHi }, level.index)) return 0;
    }
    // Equal flags, and what a leaf's rules demand of its address.
    const equal = loops.matching(
      at + 2 * empty,
      count - empty,
      ~leafAddressLo | leaf.maskLo,
      ~leafAddressHi | leaf.maskHi,
      flagsLo | (leaf.valueLo & leafAddressLo),
      flagsHi | (leaf.valueHi & leafAddressHi),
    );
    if (!isSame) changes.changeFlags(partOf(span, empty, equal), flagsLo, flagsHi, newLo, newHi);
    return empty + equal;
  }

  /**
   * Changes the leaves among entries in place.
   *
   * @returns true when one of them is different now.
   */
  apply(words: Int32Array, at: number, count: number, level: LevelPlan): boolean {
    const { leafAddressLo, leafAddressHi } = level;
    const { maskLo, maskHi, valueLo, valueHi } = level.leaf;
    const context = this.#context;
    // The flags of the entry before, and what they became. At first a value that no leaf has.
    let flagsLo = 0;
    let flagsHi = 0;
    let newLo = 0;
    let newHi = 0;
    let isSame = true;
    let isTold = false;
    for (let i = at, end = at + 2 * count; i < end; i += 2) {
      const lo = words[i] as number;
      const hi = words[i + 1] as number;
      if ((lo | hi) === 0) continue;
      const addressLo = lo & leafAddressLo;
      const addressHi = hi & leafAddressHi;
      // The match contains the unconditional rules, some of which are about the address.
      if ((((lo & maskLo) ^ valueLo) | ((hi & maskHi) ^ valueHi)) !== 0) continue;
      if (((lo ^ addressLo ^ flagsLo) | (hi ^ addressHi ^ flagsHi) | (isTold ? 0 : 1)) !== 0) {
        if (!isLeaf(level, lo, hi)) continue;
        isTold = isToldByFlags(level, lo, hi);
        flagsLo = lo ^ addressLo;
        flagsHi = hi ^ addressHi;
        const known = this.#change(context, level, lo, hi, flagsLo, flagsHi);
        newLo = known.newLo;
        newHi = known.newHi;
        if (newLo !== flagsLo || newHi !== flagsHi) isSame = false;
      }
      words[i] = newLo | addressLo;
      words[i + 1] = newHi | addressHi;
    }
    return !isSame;
  }

  #change(
    context: TableContext,
    level: LevelPlan,
    lo: number,
    hi: number,
    flagsLo: number,
    flagsHi: number,
  ): { newLo: number; newHi: number } {
    for (const known of this.#known) {
      if (known.level === level && known.lo === flagsLo && known.hi === flagsHi) return known;
    }
    const { format } = context.plan;
    const before: Words = { lo: flagsLo, hi: flagsHi };
    const wanted = { ...format.decode(before, level.index), ...this.#fields };
    const after = format.change(before, wanted, level.index);
    const what = (): string => `changes ${hex(joinWords(flagsLo, flagsHi))} to ${hex(toBigint(after))}`;
    const address = { lo: lo & level.leafAddressLo, hi: hi & level.leafAddressHi };
    checkFlags(context.plan, level, after.lo, after.hi, what, address);
    const known = { level, lo: flagsLo, hi: flagsHi, newLo: after.lo, newHi: after.hi };
    this.#known.push(known);
    return known;
  }
}
