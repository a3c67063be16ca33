import {
  brokenRule,
  type Controls,
  classify,
  type Fault,
  isInRun,
  type LevelPlan,
  matches,
  type Plan,
  type Rule,
  shapeOf,
  type Words,
} from '@vmarea/core';
import { ACCESSES } from './accesses.js';
import { PathStep } from './path-step.js';
import { TableChain } from './table-chain.js';

/** Most kinds of entries that are remembered after one path. A hostile guest may make any number of them. */
const MOST_BELOW = 1024;
/** Cells of the hash table over them. */
const CELLS = 64;

/** A fault, or what hardware makes of an entry that an access uses. */
export type Verdict = { readonly fault: Fault } | { readonly entry: Words };

/** What the paths of a format allow under given controls. */
export class Rights {
  /** The step to the root table. */
  readonly root: PathStep;
  /** For each access: the fault of the root itself; `null` when the access may use it. */
  readonly barred: readonly (Fault | null)[];
  /** Tables that are alike at all levels, of the paths that the kernel and user mode took last. */
  kernelChain: TableChain;
  userChain: TableChain;
  /** The processor modes. */
  readonly controls: Controls;
  readonly #plan: Plan;
  /** Bits of an entry that are no address, whatever the entry is. */
  readonly #attributesLo: number;
  readonly #attributesHi: number;

  constructor(plan: Plan, controls: Controls) {
    const { lowLo, lowHi, highLo, highHi } = plan.address;
    this.#plan = plan;
    this.controls = controls;
    this.#attributesLo = ~(lowLo | highLo);
    this.#attributesHi = ~(lowHi | highHi);
    this.root = new PathStep({
      ...{ mask: NO_BITS, value: NO_BITS, ready: -1, leafShift: 0, coverShift: 0 },
      ...{ isGlobal: false, path: [], above: [] },
    });
    this.barred = ACCESSES.map((access) => plan.format.checkRoot?.(access, controls) ?? null);
    this.kernelChain = this.#chainOf([this.root]);
    this.userChain = this.kernelChain;
  }

  /**
   * The step of an entry in the table below another step.
   *
   * @returns `null` for an entry that ends the walk with a fault: `faultOf` tells which.
   */
  find(step: PathStep, level: LevelPlan, lo: number, hi: number): PathStep | null {
    const cell = this.#cellOf(lo, hi);
    const cached = step.byHash[cell];
    let found = cached?.is(lo, hi) ? cached : null;
    if (found === null) {
      found = step.below.find((one) => one.is(lo, hi)) ?? this.#meet(step, level, { lo, hi });
      if (found === null) return null;
      if (step.byHash.length === 0) step.byHash = new Array<PathStep | null>(CELLS).fill(null);
      step.byHash[cell] = found;
    }
    step.recent = found;
    return found;
  }

  /**
   * Takes the tables of a path as the chain of a privilege, if they are alike. Other paths keep the chain as it is.
   *
   * @param steps - of the tables, the root's first.
   */
  learn(steps: readonly PathStep[], isUser: boolean): void {
    const [, first] = steps;
    if (first === undefined || !steps.slice(2).every((one) => TableChain.isAlike(first, one))) return;
    const known = isUser ? this.userChain : this.kernelChain;
    // A block's path is the beginning of a page's.
    if (steps.every((one, i) => one === known.steps[i])) return;
    const chain = this.#chainOf([...steps]);
    if (isUser) this.userChain = chain;
    else this.kernelChain = chain;
  }

  #chainOf(steps: readonly PathStep[]): TableChain {
    const { highLo, highHi } = this.#plan.address;
    const open = this.barred.reduce(
      (mask, fault, number) => (fault === null ? mask | (1 << number) : mask),
      0,
    );
    return new TableChain(steps, open, highLo, highHi);
  }

  /** The fault of an entry that `find` has no step for. */
  faultOf(level: LevelPlan, lo: number, hi: number): Fault {
    const { index } = level;
    const entry = { lo, hi };
    if (!matches(entry, this.#plan.format.present)) return { kind: 'not-present', level: index };
    const shape = shapeOf(level.level, entry);
    const rule = shape === null ? null : brokenRule(shape, entry);
    return { kind: rule?.fault ?? 'reserved', level: index };
  }

  /** What an access meets at an entry of a step that is not ready for it. */
  judge(step: PathStep, lo: number, hi: number, number: number): Verdict {
    const { format } = this.#plan;
    const access = ACCESSES[number] as (typeof ACCESSES)[number];
    const entry = { lo, hi };
    const path = [...step.path.slice(0, -1), entry];
    const isLeaf = step.leafShift > 0;
    const fault = isLeaf ? format.check(path, access, this.controls) : null;
    if (fault !== null) return { fault };
    const kind = isLeaf ? 'leaf' : 'table';
    return { entry: format.touch(entry, path.length - 1, kind, access, this.controls) };
  }

  /** A new step; `null` for an entry that faults. */
  #meet(step: PathStep, level: LevelPlan, entry: Words): PathStep | null {
    const kind = classify(this.#plan.format.present, level.level, entry);
    if (kind !== 'table' && kind !== 'leaf') return null;
    const mask = this.#maskOf(level, kind, entry);
    const path = [...step.path, entry];
    const isLeaf = kind === 'leaf';
    const { run } = level.level;
    const isRun = isLeaf && run !== null && isInRun(run, entry.lo, entry.hi);
    const made = new PathStep({
      mask,
      value: { lo: entry.lo & mask.lo, hi: entry.hi & mask.hi },
      ready: this.#readyFor(path, level.index, kind),
      leafShift: isLeaf ? level.shift : 0,
      coverShift: isRun ? level.runShift : isLeaf ? level.shift : 0,
      isGlobal: isLeaf && this.#isGlobal(path, level.index),
      path,
      above: [...step.above, step],
    });
    if (step.below.length >= MOST_BELOW) {
      step.below = [];
      step.byHash = [];
    }
    step.below.push(made);
    return made;
  }

  /** Every bit that the kind of an entry and its rights depend on. */
  #maskOf(level: LevelPlan, kind: 'table' | 'leaf', entry: Words): Words {
    const { present } = this.#plan.format;
    const isLeaf = kind === 'leaf';
    // Of the address of a leaf, the bits below its size are no address: x86-64 has a memory type there.
    let lo = isLeaf ? ~level.leafAddressLo : this.#attributesLo;
    let hi = isLeaf ? ~level.leafAddressHi : this.#attributesHi;
    const add = ({ mask }: Pick<Rule, 'mask'>): void => {
      lo |= mask.lo;
      hi |= mask.hi;
    };
    add(present);
    for (const shape of [level.level.table, isLeaf ? level.level.leaf : null]) {
      if (shape === null) continue;
      add(shape.match);
      for (const rule of matches(entry, shape.match) ? shape.rules : []) {
        if (rule.when !== undefined) add(rule.when);
        if (rule.when === undefined || matches(entry, rule.when)) add(rule);
      }
    }
    return { lo, hi };
  }

  #readyFor(path: readonly Words[], level: number, kind: 'table' | 'leaf'): number {
    const { format } = this.#plan;
    const entry = path[level] as Words;
    let ready = 0;
    for (const [number, access] of ACCESSES.entries()) {
      if (kind === 'leaf' && format.check(path, access, this.controls) !== null) continue;
      const { lo, hi } = format.touch(entry, level, kind, access, this.controls);
      if (((lo ^ entry.lo) | (hi ^ entry.hi)) === 0) ready |= 1 << number;
    }
    return ready;
  }

  #isGlobal(path: readonly Words[], level: number): boolean {
    const { format } = this.#plan;
    if (format.isGlobal !== undefined) return format.isGlobal(path, this.controls);
    return format.decode(path[level] as Words, level).global;
  }

  #cellOf(lo: number, hi: number): number {
    const mixed =
      Math.imul(lo & this.#attributesLo, 0x9e3779b1) ^ Math.imul(hi & this.#attributesHi, 0x85ebca6b);
    return (mixed >>> 16) & (CELLS - 1);
  }
}

const NO_BITS: Words = Object.freeze({ lo: 0, hi: 0 });
