import type { Plan } from '../../../format/plan.js';
import type { Bank } from '../../../memory/bank.js';
import { FlatWalk } from '../flat-walk.js';
import { compileClass } from './compile-class.js';
import { walkSource } from './walk-source.js';

type WalkClass = typeof FlatWalk;

/** Classes by format, place and size of the bank: to write the source takes 30 µs, as long as to make a small table. */
const byPlan: WeakMap<Plan, Map<string, WalkClass>> = new WeakMap();
/** With more banks of a format all are forgotten. */
const MOST_BANKS = 64;

/**
 * A walk whose constants are in its code.
 *
 * A translation of one of 16,384 pages takes 8.8 ns on x86-64. By a call of WebAssembly for each, it takes 17 (AMD EPYC, Node 20).
 *
 * @param bank - one that `FlatFinder.fits`.
 * @returns `null` where the host lets nobody compile source (a content security policy).
 */
export function generatedWalk(plan: Plan, bank: Bank, rootWord: number): FlatWalk | null {
  const made = classFor(plan, bank);
  return made === null ? null : new made(plan, bank, rootWord);
}

function classFor(plan: Plan, bank: Bank): WalkClass | null {
  const place = `${bank.base} ${bank.bytes}`;
  let known = byPlan.get(plan);
  if (known === undefined || known.size >= MOST_BANKS) {
    known = new Map();
    byPlan.set(plan, known);
  }
  const found = known.get(place);
  if (found !== undefined) return found;
  const made = compileClass('FlatWalk', FlatWalk, () => walkSource(plan, bank));
  if (made !== null) known.set(place, made);
  return made;
}
