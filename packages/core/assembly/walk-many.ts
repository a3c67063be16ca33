import { INSIDE_LO, LAST_TABLE, OFFSET, ROTATE } from '../src/loops/walk-layout';
import { ADDRESSES, PLAN, SCRATCH_BYTES, SHIFTS } from '../src/loops/wasm/scratch-layout';
import { read } from './entry';
import { findTable, forgetTables, placeOf } from './table-cache';
import { NO_TABLE, walkOne } from './walk-one';
import {
  FRAME_MASK,
  FRAME_SHIFT,
  KEY_MASK,
  LAST_SHIFT,
  LAST_SLOTS,
  PLAIN_MASK,
  PLAIN_VALUE,
  UPPER_MASK,
  UPPER_SHIFT,
  UPPER_SLOTS,
  UPPER_VALUE,
} from './walk-plain';
import { field, pair } from './walk-plan';

/**
 * Walks the addresses in the scratch page by the plan there, and replaces them with frames and shifts; see `RunLoops.walkMany`.
 * The bank begins at the end of the page.
 *
 * @param isFirst - tables may have changed since the last call.
 * @returns the number of addresses without a frame, or whose frame the plan cannot tell.
 */
export function walkMany(count: u32, isFirst: bool): u32 {
  if (isFirst) forgetTables();
  const end = ADDRESSES + (count << 3);
  let missing: u32 = 0;
  let shiftAt: usize = SHIFTS;
  for (let p: usize = ADDRESSES; p !== end; p += 8) {
    const va = load<u64>(p);
    const place = placeOf(va);
    const table =
      (va & load<u64>(KEY_MASK)) === load<u64>(place) ? (load<u32>(place, 8) as usize) : findTable(va);
    if (table !== NO_TABLE) {
      const upperSlot = ((va >> (load<u32>(UPPER_SHIFT) as u64)) as u32) & load<u32>(UPPER_SLOTS);
      const entry = read(table + upperSlot);
      if ((entry & load<u64>(UPPER_MASK)) === load<u64>(UPPER_VALUE)) {
        const inside = entry & pair(PLAN, INSIDE_LO);
        const at = rotr<u32>((inside as u32) | ((inside >> 32) as u32), field(ROTATE)) - field(OFFSET);
        if (at <= field(LAST_TABLE)) {
          const lastSlot = ((va >> (load<u32>(LAST_SHIFT) as u64)) as u32) & load<u32>(LAST_SLOTS);
          const leaf = read(SCRATCH_BYTES + (at << 2) + lastSlot);
          if ((leaf & load<u64>(PLAIN_MASK)) === load<u64>(PLAIN_VALUE)) {
            const frame = (leaf & load<u64>(FRAME_MASK)) >> (load<u32>(FRAME_SHIFT) as u64);
            store<f64>(p, frame as i64 as f64);
            store<u8>(shiftAt, (load<u32>(LAST_SHIFT) + 3) as u8);
            shiftAt++;
            continue;
          }
        }
      }
    }
    missing += walkOne(va, table, p, shiftAt);
    shiftAt++;
  }
  return missing;
}
