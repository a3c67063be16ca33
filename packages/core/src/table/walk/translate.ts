import type { TableContext } from '../state/context.js';
import { FlatFinder } from './flat-finder.js';
import { FlatWalk } from './flat-walk.js';
import { generatedLookup } from './generated/generated-lookup.js';
import { generatedWalk } from './generated/generated-walk.js';
import { isShared, SharedWalk } from './shared-walk.js';
import type { Translator } from './translator.js';

/**
 * Makes the translator of a root: a walk made for it where all tables are in one linear bank, else one that looks each table up. Memory
 * that other threads may use has one of its own, so that the others stay as fast as plain reads are.
 */
export function makeTranslator(context: TableContext): Translator {
  if (isShared(context)) return new SharedWalk(context);
  const { plan, memory, root } = context;
  const [bank] = memory.banks;
  const isFlat = memory.banks.length === 1 && bank !== undefined && FlatFinder.fits(plan, bank);
  if (!isFlat) return generatedLookup(context);
  return generatedWalk(plan, bank, root.word) ?? new FlatWalk(plan, bank, root.word);
}
