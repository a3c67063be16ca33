import type { Watched } from './table-records.js';

/**
 * Page tables of address spaces, by the state of an allocator whose frames their areas use. Weak, so that a
 * space that was dropped without `destroy` can be collected.
 */
const users: WeakMap<ArrayBufferLike, WeakRef<Watched>[]> = new WeakMap();

/**
 * Notes that areas of an address space use frames of an allocator. A snapshot does not know areas, so it must
 * not take the allocator back.
 */
export function noteAreas(state: ArrayBufferLike, table: Watched): void {
  const others = liveUsers(state).filter((one) => one !== table);
  users.set(
    state,
    [...others, table].map((one) => new WeakRef(one)),
  );
}

/** True when areas of a space that was not destroyed use frames of an allocator. */
export function hasAreas(state: ArrayBufferLike): boolean {
  return liveUsers(state).length > 0;
}

function liveUsers(state: ArrayBufferLike): Watched[] {
  const tables = (users.get(state) ?? []).map((one) => one.deref());
  return tables.filter((one) => one !== undefined).filter((one) => !one.isDestroyed);
}
