import { type Bank, type Fault, leafFrame, type PhysicalMemory, pfnOf } from '@vmarea/core';
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
 * Entries of known kinds are walked in words, without allocation. The leaf's step, and the entries read, are in the root's `leaf` and `read`.
 */
export class Walker {
  /** Entries that walks with a fault read, and those that all walks changed. */
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
   * Walks one address that the root translates, entry by entry: kinds that are new, bits to set, tables that are not alike, several
   * banks, faults. `WalkRoot.frameOf` has the others.
   *
   * @param number - of the access.
   * @returns the frame of the address, in pages of the format; -1 for a fault, which then is in the fault object.
   */
  walk(root: WalkRoot, vaHi: number, vaLo: number, number: number): number {
    const { rights, levels } = root;
    const barred = rights.barred[number] ?? null;
    if (barred !== null) return this.#refuse(root, barred, vaHi, vaLo, number);
    const middle = middleOf(vaHi, vaLo);
    let { bank } = root;
    let { words, atomic } = bank;
    let { word } = root;
    let step = rights.root;
    let tries = 0;
    for (let index = 0; ; index++) {
      const level = levels[index] as WalkLevel;
      const at = (word + (slotIn(level, vaHi, middle, vaLo) << 1)) | 0;
      const lo = atomic === null ? (words[at] as number) : atomic.load64(at);
      const hi = atomic === null ? (words[at + 1] as number) : atomic.high;
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
        root.read = (index + 1) | 0;
        root.leaf = next;
        if (this.#uncovered++ % LEARN_EVERY === 0) rights.learn(next.above, number >= USER);
        return leafFrame(root.plan, level.plan, lo, hi, vaHi, vaLo);
      }
      step = next;
      const child = pfnOf(root.plan.address, lo, hi);
      word = bank.wordOf(child, root.pageShift);
      if (word < 0) {
        const other = bankOf(this.#memory, child, root.pageShift);
        if (other === null) {
          this.entriesRead += index + 1;
          return this.#refuse(root, { kind: 'external', level: index + 1 }, vaHi, vaLo, number);
        }
        bank = other;
        word = bank.wordOf(child, root.pageShift);
      }
      ({ words, atomic } = bank);
    }
  }

  /** Judges an access to an entry that is not ready for it, and sets the bits that hardware sets. */
  #settle(root: WalkRoot, bank: Bank, at: number, step: PathStep, number: number): Fault | null {
    const { words, atomic } = bank;
    const lo = atomic === null ? (words[at] as number) : atomic.load64(at);
    const hi = atomic === null ? (words[at + 1] as number) : atomic.high;
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
