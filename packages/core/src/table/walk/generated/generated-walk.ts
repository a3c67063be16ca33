import type { Plan } from '../../../format/plan.js';
import type { Bank } from '../../../memory/bank.js';
import { FlatWalk } from '../flat-walk.js';
import { walkSource } from './walk-source.js';

type WalkClass = typeof FlatWalk;

/** Classes by source: roots of one format in banks of one size share one. */
const classes: Map<string, WalkClass> = new Map();
/** The same by format, place and size of the bank: to write the source takes 30 µs, as long as to make a small table. */
const byPlan: WeakMap<Plan, Map<string, WalkClass>> = new WeakMap();
/** With more of them all are forgotten: those that no root uses go. */
const MOST_CLASSES = 64;
/** Hosts that refuse once refuse always, and may report each try. */
let isRefused = false;

/**
 * A walk whose constants are in its code.
 *
 * A translation of one of 16,384 pages in order takes 11.8 ns on x86-64 and 7.6 on riscv64-sv39. By a call of WebAssembly for each, it takes 17 (AMD EPYC, Node 20).
 *
 * @param bank - one that `FlatFinder.fits`.
 * @returns `null` where the host lets nobody compile source (a content security policy).
 */
export function generatedWalk(plan: Plan, bank: Bank, rootWord: number): FlatWalk | null {
  const made = isRefused ? null : classFor(plan, bank);
  return made === null ? null : new made(plan, bank, rootWord);
}

function classFor(plan: Plan, bank: Bank): WalkClass | null {
  const place = `${bank.base} ${bank.bytes}`;
  let known = byPlan.get(plan);
  if (known === undefined || known.size >= MOST_CLASSES) {
    known = new Map();
    byPlan.set(plan, known);
  }
  const found = known.get(place);
  if (found !== undefined) return found;
  const made = compiled(walkSource(plan, bank));
  if (made !== null) known.set(place, made);
  return made;
}

/** The class of a source that was made of numbers alone; `null` where the host refuses. */
function compiled(source: string): WalkClass | null {
  const found = classes.get(source);
  if (found !== undefined) return found;
  const make = functionOf(source);
  if (make === null) return null;
  const made = make(FlatWalk);
  if (classes.size >= MOST_CLASSES) classes.clear();
  classes.set(source, made);
  return made;
}

/** A function with a body; `null` where the host refuses. */
function functionOf(source: string): ((walk: WalkClass) => WalkClass) | null {
  try {
    return new Function('FlatWalk', source) as (walk: WalkClass) => WalkClass;
  } catch (error) {
    // An EvalError of a policy, or a TypeError where `Function` was taken away. Too little memory and wrong source are other matters.
    if (error instanceof RangeError || error instanceof SyntaxError) throw error;
    isRefused = true;
    return null;
  }
}
