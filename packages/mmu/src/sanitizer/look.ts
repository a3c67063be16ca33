import { judgeIncomplete } from './run-rules.js';
import type { State } from './state.js';
import type { WatchedRoot } from './watched-root.js';

/** Compares all tables with their copies: every rule judges what was written as of the event that runs. */
export function lookAtTables(state: State): void {
  for (const root of state.roots) root.tree.look();
  state.isBehind = false;
}

/** The same when tables may have been linked that a look at single tables would not find. */
export function catchUp(state: State): void {
  if (state.isBehind) lookAtTables(state);
}

/** The same for the tables on the way to an address alone. */
export function lookAlong(root: WatchedRoot, va: bigint): void {
  root.tree.lookAlong(root.relative(Number(va >> BigInt(root.format.pageShift))));
}

/** The same for the tables in the frame of a physical address alone. */
export function lookAtFrame({ roots }: State, pa: bigint): void {
  for (const root of roots) root.tree.lookAt(Number(pa >> BigInt(root.format.pageShift)));
}

/** The same at a moment at which runs must be whole. */
export function lookAtWholeRuns(state: State): void {
  lookAtTables(state);
  for (const root of state.roots) judgeIncomplete(state, root);
}
