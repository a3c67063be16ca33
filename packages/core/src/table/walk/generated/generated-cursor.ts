import type { Plan } from '../../../format/plan.js';
import type { TableContext } from '../../state/context.js';
import { FlatCursor } from '../flat-cursor.js';
import type { FlatWalk } from '../flat-walk.js';
import { compileClass } from './compile-class.js';
import { cursorSource } from './cursor-source.js';

/** Classes by format. */
const byPlan: WeakMap<Plan, typeof FlatCursor> = new WeakMap();

/** A cursor whose constants are in its code, where the host compiles source. */
export function generatedCursor(context: TableContext, walk: FlatWalk, live: () => void): FlatCursor {
  const { plan } = context;
  let made = byPlan.get(plan);
  if (made === undefined) {
    made = compileClass('FlatCursor', FlatCursor, () => cursorSource(plan)) ?? FlatCursor;
    byPlan.set(plan, made);
  }
  return new made(context, walk, live);
}
