import { type Bank, type Fault, leafFrame, type PhysicalMemory, pfnHigh, pfnLow } from '@vmarea/core';
import { USER } from './accesses.js';
import type { MmuFault } from './mmu-fault.js';
import type { PathStep } from './path-step.js';
import { storeEntry } from './store-entry.js';
import { middleOf, slotIn, type WalkLevel } from './walk-level.js';
import { bankOf, type WalkRoot } from './walk-root.js';

/** Most times that a walk begins anew because somebody else changed an entry in between. */
const MOST_TRIES = 100;
/** Walks that leave the chain until the chain is learnt anew: not at each, since two kinds of paths may take turns. */
const LEARN_EVERY = 16;

/**
 * Walks tables as the hardware does for one access: it checks the access, and sets accessed and dirty bits.
 *
 * On the way down, each entry that points to a table is marked before the next one is read (SDM vol. 3A, Paging, "Accessed and
 * Dirty Flags"). The leaf is marked when the access is allowed. An image that cannot be written stays as it is.
 *
 * Entries of known kinds are walked in words, without allocation. The result is in its members.
 */
export class Walker {
  /** The leaf's step. */
  step: PathStep | null = null;
  /** Entries that walks read, and those that they changed. */
  entriesRead = 0;
  entriesWritten = 0;
  /** True when the last `#settle` changed the entry, or found it changed. */
  #hasChanged = false;
  #uncovered = 0;
  readonly #memory: PhysicalMemory;
  readonly #fault: MmuFault;

  constructor(memory: PhysicalMemory, fault: MmuFault) {
    this.#memory = memory;
    this.#fault = fault;
  }

  /**
   * Walks one address that the root translates.
   *
   * @param number - of the access.
   * @returns the frame of the address, in pages of the format; -1 for a fault, which then is in the fault object.
   */
  walk(root: WalkRoot, vaHi: number, vaLo: number, number: number): number {
    const { rights, levels, lowLo, lowHi, lowRotate, firstFrame, frameCount, wordShift } = root;
    const middle = middleOf(vaHi, vaLo);
    const chain = number < 3 ? rights.kernelChain : rights.userChain;
    if (!rights.isOpen || ((chain.ready >>> number) & 1) === 0) {
      return this.#walkOn(root, 0, root.word, rights.root, vaHi, vaLo, number);
    }
    const { maskLo, maskHi, valueLo, valueHi, steps } = chain;
    const { words } = root.bank;
    const tables = steps.length - 1;
    let word = root.word;
    let index = 0;
    for (; index < tables; index++) {
      const at = (word + (slotIn(levels[index] as WalkLevel, vaHi, middle, vaLo) << 1)) | 0;
      const lo = words[at] as number;
      const hi = words[at + 1] as number;
      if ((((lo & maskLo) ^ valueLo) | ((hi & maskHi) ^ valueHi)) !== 0) break;
      const inside = (rotateRight((lo & lowLo) | (hi & lowHi), lowRotate) - firstFrame) | 0;
      if (inside >>> 0 >= frameCount) break;
      word = inside << wordShift;
    }
    const step = steps[index] as PathStep;
    const level = levels[index] as WalkLevel;
    const at = (word + (slotIn(level, vaHi, middle, vaLo) << 1)) | 0;
    const lo = words[at] as number;
    const hi = words[at + 1] as number;
    const leaf = step.recent;
    if (leaf === null || ((leaf.ready >>> number) & 1) === 0 || leaf.leafShift === 0 || !leaf.is(lo, hi)) {
      return this.#walkOn(root, index, word, step, vaHi, vaLo, number);
    }
    this.entriesRead += index + 1;
    this.step = leaf;
    if (level.inside === 0 && ((lo & root.highLo) | (hi & root.highHi)) === 0) {
      return rotateRight((lo & lowLo) | (hi & lowHi), lowRotate) >>> 0;
    }
    return leafFrame(root.plan, level.plan, lo, hi, vaHi, vaLo);
  }

  /**
   * Walks from a table on.
   *
   * @param index - of the table's level.
   * @param from - its first word, in the bank of the root.
   * @param above - its step.
   */
  #walkOn(
    root: WalkRoot,
    index: number,
    from: number,
    above: PathStep,
    vaHi: number,
    vaLo: number,
    number: number,
  ): number {
    const { rights, levels } = root;
    const barred = rights.barred[number] ?? null;
    if (barred !== null) return this.#refuse(root, barred, vaHi, vaLo, number);
    const first = index;
    const middle = middleOf(vaHi, vaLo);
    let { bank } = root;
    let { words } = bank;
    let word = from;
    let step = above;
    let tries = 0;
    for (; ; index++) {
      const level = levels[index] as WalkLevel;
      const at = (word + (slotIn(level, vaHi, middle, vaLo) << 1)) | 0;
      const lo = words[at] as number;
      const hi = words[at + 1] as number;
      let next = step.recent;
      if (next === null || !next.is(lo, hi)) {
        next = rights.find(step, level.plan, lo, hi);
        if (next === null) {
          this.entriesRead += index + 1;
          return this.#refuse(root, rights.faultOf(level.plan, lo, hi), vaHi, vaLo, number);
        }
      }
      if (((next.ready >>> number) & 1) === 0) {
        const fault = this.#settle(root, bank, at, next, number);
        if (fault !== null) {
          this.entriesRead += index + 1;
          return this.#refuse(root, fault, vaHi, vaLo, number);
        }
        // The entry is another one now. What it allows is asked again, as the hardware does.
        if (this.#hasChanged && tries++ < MOST_TRIES) {
          index--;
          continue;
        }
      }
      if (next.leafShift !== 0) {
        this.entriesRead += index + 1;
        this.step = next;
        if (index > first && this.#uncovered++ % LEARN_EVERY === 0) rights.learn(next.above, number >= USER);
        return leafFrame(root.plan, level.plan, lo, hi, vaHi, vaLo);
      }
      step = next;
      const child =
        pfnHigh(root.plan.address, lo, hi) * 4294967296 + (pfnLow(root.plan.address, lo, hi) >>> 0);
      let other: Bank | null = bank;
      if (bank.wordOf(child, root.pageShift) < 0) other = bankOf(this.#memory, child, root.pageShift);
      if (other === null) {
        this.entriesRead += index + 1;
        return this.#refuse(root, { kind: 'external', level: index + 1 }, vaHi, vaLo, number);
      }
      bank = other;
      words = bank.words;
      word = bank.wordOf(child, root.pageShift);
    }
  }

  /** Judges an access to an entry that is not ready for it, and sets the bits that hardware sets. */
  #settle(root: WalkRoot, bank: Bank, at: number, step: PathStep, number: number): Fault | null {
    const { words } = bank;
    const lo = words[at] as number;
    const hi = words[at + 1] as number;
    this.#hasChanged = false;
    // Somebody else changed it since it was read.
    if (!step.is(lo, hi)) {
      this.#hasChanged = true;
      return null;
    }
    const verdict = root.rights.judge(step, lo, hi, number);
    if ('fault' in verdict) return verdict.fault;
    const { entry } = verdict;
    const isSame = ((entry.lo ^ lo) | (entry.hi ^ hi) | 0) === 0;
    if (isSame || !bank.writable) return null;
    if (storeEntry(words, at, lo, hi, entry)) this.entriesWritten++;
    this.#hasChanged = true;
    return null;
  }

  #refuse(root: WalkRoot, fault: Fault, vaHi: number, vaLo: number, number: number): -1 {
    this.#fault.set(root.plan.format, fault, root.rights.controls, vaHi, vaLo, number);
    return -1;
  }
}

function rotateRight(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}
