import { TABLES } from '../src/loops/wasm/scratch-layout';
import { entryOf, isTable, NO_TABLE, rootTable, tableOf } from './walk-one';
import { KEY_MASK, KEY_SHIFT } from './walk-plain';
import { below, FIRST_LEVEL, isInRange, upperLevel } from './walk-plan';

// A cache of the tables of the last level but one, like an MMU's paging-structure cache. It lives for one call. On
// shared memory another thread may take a table out meanwhile, but its frame is not used again before this thread is between calls. It has
// 32 places of 16 bytes. The lowest address bits above those tables select the place. A place holds all address bits above, and the
// table. Most walks then read two entries, and a batch that jumps between tables does not mispredict a branch at each jump.

/** Empties the cache: no address has the key 1. */
export function forgetTables(): void {
  for (let i: usize = 0; i < 512; i += 16) store<u64>(TABLES + i, 1);
}

/** The place of an address. */
export function placeOf(va: u64): usize {
  return TABLES + ((((va >> (load<u32>(KEY_SHIFT) as u64)) as usize) & 31) << 4);
}

/** Finds the table of an address and keeps it; `NO_TABLE` when the walk ends above. */
export function findTable(va: u64): usize {
  if (!isInRange(va)) return NO_TABLE;
  let table = rootTable();
  for (let level = FIRST_LEVEL, upper = upperLevel(); level !== upper; level = below(level)) {
    const entry = entryOf(level, table, va);
    if (!isTable(level, entry)) return NO_TABLE;
    table = tableOf(entry);
    if (table === NO_TABLE) return NO_TABLE;
  }
  const place = placeOf(va);
  store<u64>(place, va & load<u64>(KEY_MASK));
  store<u32>(place, table, 8);
  return table;
}
